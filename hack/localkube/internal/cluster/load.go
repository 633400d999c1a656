package cluster

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/image"
	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/node"
)

// Load imports image archives into every node of the running cluster. An archive
// that a node already has is not sent again.
func (k Cluster) Load(ctx context.Context, archives ...string) error {
	nodes, err := k.runningNodes()
	if err != nil {
		return err
	}
	if len(nodes) == 0 {
		return errors.New("no node runs")
	}
	for _, archive := range archives {
		for _, n := range nodes {
			loaded, err := k.loadInto(ctx, n, archive)
			if err != nil {
				return err
			}
			if loaded {
				k.Log.Printf("loaded %s into %s", filepath.Base(archive), n)
			}
		}
	}
	return nil
}

// loadInto notes beside the node's image store which archive each image came from,
// by digest; the notes live and die with the store.
func (k Cluster) loadInto(ctx context.Context, nodeName, archive string) (loaded bool, err error) {
	digest, err := fileDigest(archive)
	if err != nil {
		return false, err
	}
	refs := image.References(archive)
	note := func(ref string) string {
		name := strings.NewReplacer("/", "_", ":", "_").Replace(ref)
		return filepath.Join(node.Var(k.Config, nodeName), "lib/localkube-images", name)
	}
	fresh := len(refs) > 0
	for _, ref := range refs {
		b, err := os.ReadFile(note(ref))
		fresh = fresh && err == nil && string(b) == digest
	}
	if fresh {
		return false, nil
	}
	if err := node.Load(ctx, k.Config, nodeName, archive); err != nil {
		return false, err
	}
	for _, ref := range refs {
		if err := os.MkdirAll(filepath.Dir(note(ref)), 0o755); err != nil {
			return false, err
		}
		if err := os.WriteFile(note(ref), []byte(digest), 0o644); err != nil {
			return false, err
		}
	}
	return true, nil
}

func fileDigest(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("reading %s: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// runningNodes are the recorded processes that are nodes: those with a folder.
func (k Cluster) runningNodes() ([]string, error) {
	names, err := k.table().Names()
	if err != nil {
		return nil, err
	}
	var nodes []string
	for _, n := range names {
		if _, err := os.Stat(k.Config.Path("nodes", n)); err == nil && k.table().Alive(n) {
			nodes = append(nodes, n)
		}
	}
	return nodes, nil
}
