package cluster

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/config"
	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/debian"
	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/image"
	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/network"
	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/node"
	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/smoke"
	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/toolchain"
)

// Up brings the cluster up, or completes one that is partly up. What runs is left
// as it is.
func (k Cluster) Up(ctx context.Context) error {
	unlock, err := k.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if err := debian.Install(ctx, k.Log); err != nil {
		return err
	}
	d, err := k.buildAll(ctx)
	if err != nil {
		return err
	}
	if err := k.prepareHost(ctx); err != nil {
		return err
	}
	if err := k.controlPlane(ctx, d); err != nil {
		return err
	}
	archives, err := k.systemImages(d)
	if err != nil {
		return err
	}
	for _, n := range k.Config.AllNodes() {
		if err := k.startNode(ctx, d, n, archives); err != nil {
			return err
		}
	}
	if err := k.addons(ctx, d); err != nil {
		return err
	}
	client, err := k.Client()
	if err != nil {
		return err
	}
	if missing, err := k.missing(ctx, client); err == nil && missing == "" {
		k.Log.Printf("Kubernetes is ready")
		return nil
	}
	return k.Log.Step(ctx, "waiting for the nodes and the cluster's DNS", k.awaitReady)
}

func (k Cluster) buildAll(ctx context.Context) (d dirs, err error) {
	for _, build := range []struct {
		tool toolchain.Tool
		dir  *string
	}{
		{toolchain.Pause, &d.pause},
		{toolchain.Etcd, &d.etcd},
		{toolchain.CoreDNS, &d.coredns},
		{toolchain.Kubernetes, &d.kubernetes},
	} {
		if *build.dir, err = k.Builder().Build(ctx, build.tool); err != nil {
			return d, err
		}
	}
	return d, nil
}

func (k Cluster) prepareHost(ctx context.Context) error {
	if err := os.MkdirAll(k.Config.RunDir, 0o755); err != nil {
		return err
	}
	if err := k.saveSysctls(); err != nil {
		return err
	}
	if err := k.credentials(); err != nil {
		return err
	}
	if err := network.Up(ctx, k.Config); err != nil {
		return err
	}
	if err := network.EnableForwarding(); err != nil {
		return fmt.Errorf("letting the host forward: %w", err)
	}
	return nil
}

// coreDNSImage is the name of the image for a version of CoreDNS.
func coreDNSImage(version string) string { return "localhost/localkube/coredns:" + version }

// systemImages packs the images that every node has.
func (k Cluster) systemImages(d dirs) ([]string, error) {
	version, err := k.Builder().Version(toolchain.CoreDNS)
	if err != nil {
		return nil, err
	}
	pause, err := pack(filepath.Join(d.pause, "pause"), node.PauseImage, image.NonRoot)
	if err != nil {
		return nil, err
	}
	// CoreDNS listens on port 53, for which its pod grants a capability, which only
	// root gets without help of the binary.
	coredns, err := pack(filepath.Join(d.coredns, "coredns"), coreDNSImage(version), "")
	return []string{pause, coredns}, err
}

// ProbeImage packs the image of the smoke test.
func (k Cluster) ProbeImage(ctx context.Context) (string, error) {
	dir, err := k.Builder().Build(ctx, toolchain.Probe)
	if err != nil {
		return "", err
	}
	return pack(filepath.Join(dir, "probe"), smoke.Image, image.NonRoot)
}

// pack makes an image of one binary, beside it in the cache, and returns the archive.
func pack(binary, reference, user string) (archive string, err error) {
	archive = binary + ".tar"
	if _, err := os.Stat(archive); err == nil {
		return archive, nil
	}
	program := "/" + filepath.Base(binary)
	return archive, image.Write(archive, image.Spec{
		Reference: reference, Entrypoint: []string{program}, User: user,
		Files: []image.File{{Path: program, Source: binary}},
	})
}

func (k Cluster) startNode(ctx context.Context, d dirs, n config.Node, archives []string) error {
	what := "starting " + n.Name
	if k.table().Alive(n.Name) {
		what = "checking " + n.Name
	}
	return k.Log.Step(ctx, what, func(ctx context.Context, say func(string)) error {
		if err := node.Start(ctx, node.Spec{Config: k.Config, Node: n, Programs: d.kubernetes}); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		say("waiting for containerd")
		if err := node.WaitRuntime(ctx, k.Config, n.Name); err != nil {
			return err
		}
		say("loading images")
		for _, a := range archives {
			if _, err := k.loadInto(ctx, n.Name, a); err != nil {
				return err
			}
		}
		return nil
	})
}
