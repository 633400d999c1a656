package docker

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/provisioner/layer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/provisioner/store"
	"github.com/mesos-operator/mesos-operator/internal/atomicfile"
)

const (
	// parallel is how many layers of an image are downloaded at a time, as Docker does.
	parallel = 3
	// maxImageLayers is the kernel's bound for what an overlay is made of.
	maxImageLayers = 500
)

// pull is one that is under way. It goes on as long as anybody waits for it.
type pull struct {
	cancel  context.CancelFunc
	waiting int // guarded by the store's mutex
	done    chan struct{}
	entry   entry
	err     error
}

// pull gets an image, or waits for somebody who gets it already.
func (s *Store) pull(ctx context.Context, ref Reference, form layer.Form, credentials Credentials) (entry, error) {
	key := ref.String() + " " + rootfsName(form)
	s.mu.Lock()
	p := s.pulls[key]
	if p == nil {
		own, cancel := context.WithCancel(context.WithoutCancel(ctx))
		p = &pull{cancel: cancel, done: make(chan struct{})}
		s.pulls[key] = p
		go s.run(own, key, p, ref, form, credentials)
	}
	p.waiting++
	s.mu.Unlock()
	select {
	case <-p.done:
		return p.entry, p.err
	case <-ctx.Done():
		s.leave(key, p)
		return entry{}, ctx.Err()
	}
}

// leave ends a pull that nobody waits for any more.
func (s *Store) leave(key string, p *pull) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.waiting--; p.waiting > 0 {
		return
	}
	p.cancel()
	if s.pulls[key] == p {
		delete(s.pulls, key)
	}
}

func (s *Store) run(ctx context.Context, key string, p *pull, ref Reference, form layer.Form, credentials Credentials) {
	began := time.Now()
	s.cfg.Log.Info("Pulling an image", "image", ref.String())
	p.entry, p.err = s.fetch(ctx, ref, form, credentials)
	if s.cfg.Pulled != nil {
		s.cfg.Pulled(time.Since(began))
	}
	if p.err == nil {
		s.cfg.Log.Info("Image pulled", "image", ref.String(), "layers", len(p.entry.Layers), "took", time.Since(began).String())
	}
	s.mu.Lock()
	if s.pulls[key] == p {
		delete(s.pulls, key)
	}
	last := len(s.pulls) == 0
	s.mu.Unlock()
	p.cancel()
	if last {
		s.source.rest()
	}
	close(p.done)
}

// fetch brings an image into the store.
func (s *Store) fetch(ctx context.Context, ref Reference, form layer.Form, credentials Credentials) (entry, error) {
	image, err := s.source.image(ctx, ref, credentials)
	if err != nil {
		return entry{}, err
	}
	layers, ids, err := layersOf(image)
	if err != nil {
		return entry{}, err
	}
	staging, err := os.MkdirTemp(s.stagingDir(), "")
	if err != nil {
		return entry{}, fmt.Errorf("making a staging directory: %w", err)
	}
	defer os.RemoveAll(staging)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i, id := range ids {
		if _, err := os.Stat(s.layer(id, form)); err == nil {
			continue
		}
		group.Go(func() error {
			if err := s.unpack(ctx, layers[i], id, form, filepath.Join(staging, id)); err != nil {
				return fmt.Errorf("layer %s: %w", id, explain(err))
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return entry{}, err
	}
	e := entry{Layers: ids}
	if e.Config, err = s.keepConfig(image); err != nil {
		return entry{}, err
	}
	if err := flush(s.cfg.Dir); err != nil {
		return entry{}, err
	}
	return e, s.images.put(ref.String(), e)
}

// layersOf lists an image's layers, each once: where it is the uppermost, what decides.
func layersOf(image v1.Image) (layers []v1.Layer, ids []string, err error) {
	all, err := image.Layers()
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", store.ErrInvalid, explain(err))
	}
	if len(all) == 0 || len(all) > maxImageLayers {
		return nil, nil, fmt.Errorf("%w: it has %d layers, want 1 to %d", store.ErrInvalid, len(all), maxImageLayers)
	}
	for _, l := range slices.Backward(all) {
		id, err := l.DiffID()
		if err != nil {
			return nil, nil, fmt.Errorf("%w: naming a layer: %w", store.ErrInvalid, explain(err))
		}
		if id.Algorithm != "sha256" {
			return nil, nil, fmt.Errorf("%w: layer %s: want a SHA-256", store.ErrInvalid, id)
		}
		if slices.Contains(ids, id.String()) {
			continue
		}
		layers, ids = append(layers, l), append(ids, id.String())
	}
	slices.Reverse(layers)
	slices.Reverse(ids)
	return layers, ids, nil
}

// unpack gets a layer, makes sure that it is what its name says, and puts it in its place.
func (s *Store) unpack(ctx context.Context, l v1.Layer, id string, form layer.Form, staging string) error {
	rootfs := filepath.Join(staging, rootfsName(form))
	if err := os.MkdirAll(rootfs, 0o755); err != nil {
		return err
	}
	in, err := l.Uncompressed()
	if err != nil {
		return fmt.Errorf("getting it: %w", err)
	}
	defer in.Close()
	hash := sha256.New()
	read := io.TeeReader(in, hash)
	if err := layer.Unpack(ctx, read, rootfs, form, layer.DefaultLimits()); err != nil {
		return err
	}
	// What follows the archive counts for its hash, and for that of what was sent.
	if _, err := io.Copy(io.Discard, io.LimitReader(read, layer.DefaultLimits().Bytes)); err != nil {
		return fmt.Errorf("reading it: %w", err)
	}
	if got := "sha256:" + hex.EncodeToString(hash.Sum(nil)); got != id {
		return fmt.Errorf("%w: its contents are %s", store.ErrInvalid, got)
	}
	return s.place(rootfs, id, form)
}

// place moves a layer to where it belongs. Somebody else may have been quicker.
func (s *Store) place(rootfs, id string, form layer.Form) error {
	if err := os.MkdirAll(filepath.Join(s.layersDir(), id), 0o755); err != nil {
		return err
	}
	to := s.layer(id, form)
	err := os.Rename(rootfs, to)
	if err == nil {
		return nil
	}
	if _, statErr := os.Stat(to); statErr == nil && (errors.Is(err, unix.ENOTEMPTY) || errors.Is(err, unix.EEXIST)) {
		return nil
	}
	return err
}

// keepConfig keeps an image's configuration under its digest.
func (s *Store) keepConfig(image v1.Image) (string, error) {
	digest, err := image.ConfigName()
	if err == nil && digest.Algorithm != "sha256" {
		err = fmt.Errorf("its configuration is %s", digest)
	}
	if err != nil {
		return "", fmt.Errorf("%w: %w", store.ErrInvalid, explain(err))
	}
	raw, err := image.RawConfigFile()
	if err != nil {
		return "", fmt.Errorf("getting its configuration: %w", explain(err))
	}
	if err := atomicfile.Write(filepath.Join(s.configsDir(), digest.String()), raw, 0o600); err != nil {
		return "", fmt.Errorf("keeping its configuration: %w", err)
	}
	return digest.String(), nil
}

// flush brings to disk what a list of images is about to name.
func flush(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("flushing the store: %w", err)
	}
	defer f.Close()
	if err := unix.Syncfs(int(f.Fd())); err != nil {
		return fmt.Errorf("flushing the store: %w", err)
	}
	return nil
}
