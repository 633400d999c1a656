package appc

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/provisioner/layer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/provisioner/store"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// Config says where images come from and where they are kept.
type Config struct {
	// Dir is the store's directory (--appc_store_dir).
	Dir string
	// Prefix is put before an image's name to get where it is: the beginning of a URL, or
	// of a path (--appc_simple_discovery_uri_prefix).
	Prefix string
	// StallTimeout is after how much silence a download has failed
	// (--fetcher_stall_timeout).
	StallTimeout time.Duration
	// Transport speaks to servers; nil for the standard library's.
	Transport http.RoundTripper `json:"-"`
	// Log hears of downloads.
	Log logr.Logger `json:"-"`
}

// DefaultConfig has Mesos's defaults.
func DefaultConfig() Config {
	return Config{Dir: "/tmp/mesos/store/appc", Prefix: "http://", StallTimeout: time.Minute}
}

// Validate tells what is wrong with a configuration.
func (c Config) Validate() error {
	errs := []error{checkPrefix(c.Prefix)}
	if !filepath.IsAbs(c.Dir) {
		errs = append(errs, fmt.Errorf("appc store directory %q: want an absolute path", c.Dir))
	}
	if c.StallTimeout <= 0 {
		errs = append(errs, fmt.Errorf("stall timeout %v: want more than zero", c.StallTimeout))
	}
	return errors.Join(errs...)
}

// Store implements store.Store.
type Store struct {
	cfg Config

	mu sync.Mutex
	// ids are the images in the store by their keys.
	ids map[string]string
}

var _ store.Store = (*Store)(nil)

// New makes a store.
func New(cfg Config) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Store{cfg: cfg, ids: map[string]string{}}
	for _, dir := range []string{cfg.Dir, s.imagesDir(), s.stagingDir()} {
		// Programs in images may have set-user-ID bits: other users must not reach them.
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("making the appc store: %w", err)
		}
	}
	if err := os.Chmod(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the appc store: %w", err)
	}
	return s, nil
}

func (s *Store) imagesDir() string       { return filepath.Join(s.cfg.Dir, "images") }
func (s *Store) stagingDir() string      { return filepath.Join(s.cfg.Dir, "staging") }
func (s *Store) image(id string) string  { return filepath.Join(s.imagesDir(), id) }
func (s *Store) rootfs(id string) string { return filepath.Join(s.image(id), "rootfs") }

// Recover implements store.Store.
func (s *Store) Recover() error {
	if err := os.RemoveAll(s.stagingDir()); err != nil {
		return fmt.Errorf("emptying the staging directory: %w", err)
	}
	if err := os.Mkdir(s.stagingDir(), 0o700); err != nil {
		return fmt.Errorf("making the staging directory: %w", err)
	}
	entries, err := os.ReadDir(s.imagesDir())
	if err != nil {
		return fmt.Errorf("looking for images: %w", err)
	}
	for _, e := range entries {
		if err := s.add(e.Name()); err != nil {
			s.cfg.Log.Error(err, "An image of the store is left out", "id", e.Name())
		}
	}
	return nil
}

// add makes an image known that is in the store.
func (s *Store) add(id string) error {
	if err := CheckID(id); err != nil {
		return err
	}
	m, err := s.manifest(id)
	if err != nil {
		return err
	}
	if info, err := os.Stat(s.rootfs(id)); err != nil || !info.IsDir() {
		return fmt.Errorf("%w: it has no rootfs", store.ErrInvalid)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ids[wantedAs(Dependency{ImageName: m.Name, Labels: m.Labels}).key()] = id
	return nil
}

func (s *Store) manifest(id string) (*Manifest, error) {
	data, err := os.ReadFile(filepath.Join(s.image(id), "manifest"))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", store.ErrInvalid, err)
	}
	return ParseManifest(data)
}

// Get implements store.Store. The images that one depends on are below it, in the order
// in which it names them.
func (s *Store) Get(ctx context.Context, image *mesos.Image, _ layer.Form) (store.Image, error) {
	ids, err := s.collect(ctx, wantedBy(image.GetAppc()), image.GetCached(), nil)
	if err != nil {
		return store.Image{}, fmt.Errorf("getting appc image %s: %w", image.GetAppc().GetName(), err)
	}
	top, err := s.manifest(ids[len(ids)-1])
	if err != nil {
		return store.Image{}, err
	}
	out := store.Image{Defaults: top.defaults()}
	for i, id := range ids {
		if slices.Contains(ids[i+1:], id) {
			continue // where it is the uppermost, is what decides
		}
		out.Layers = append(out.Layers, s.rootfs(id))
	}
	return out, nil
}

// maxDepth and maxImages bound what an image may depend on.
const (
	maxDepth  = 32
	maxImages = 500
)

// collect gets an image and all that it depends on. path are those that depend on it.
func (s *Store) collect(ctx context.Context, w wanted, cached bool, path []string) ([]string, error) {
	id, err := s.find(ctx, w, cached)
	if err != nil {
		return nil, err
	}
	if slices.Contains(path, id) || len(path) >= maxDepth {
		return nil, fmt.Errorf("%w: image %s depends on itself, or on too many", store.ErrInvalid, w.name)
	}
	m, err := s.manifest(id)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, d := range m.Dependencies {
		below, err := s.collect(ctx, wantedAs(d), cached, append(path[:len(path):len(path)], id))
		if err != nil {
			return nil, fmt.Errorf("which %s depends on: %w", m.Name, err)
		}
		if ids = append(ids, below...); len(ids) > maxImages {
			return nil, fmt.Errorf("%w: image %s depends on too many", store.ErrInvalid, w.name)
		}
	}
	return append(ids, id), nil
}

// find returns the ID of an image that is in the store, or that is got.
func (s *Store) find(ctx context.Context, w wanted, cached bool) (string, error) {
	id := w.id
	if id != "" {
		if err := CheckID(id); err != nil {
			return "", err
		}
	} else {
		s.mu.Lock()
		id = s.ids[w.key()]
		s.mu.Unlock()
	}
	if id != "" && cached {
		if _, err := os.Stat(s.image(id)); err == nil {
			return id, nil
		}
	}
	return s.fetch(ctx, w)
}

// Prune implements store.Store: nothing is removed, as in Mesos. Images that operators put
// there could not be got again.
func (s *Store) Prune([]*mesos.Image, map[string]bool) error { return nil }
