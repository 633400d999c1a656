package docker

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/go-logr/logr"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/provisioner/layer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/provisioner/store"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// Config says where images come from and where they are kept.
type Config struct {
	// Dir is the store's directory (--docker_store_dir). Nobody else writes there.
	Dir string
	// Registry is the URL of the default registry, or a directory of archives
	// (--docker_registry).
	Registry string
	// Credentials are those for registries (--docker_config).
	Credentials Credentials
	// StallTimeout is after how much silence a registry has failed
	// (--fetcher_stall_timeout).
	StallTimeout time.Duration
	// Resolve tells a secret, for credentials that come with an image; nil knows only
	// secrets by value.
	Resolve func(context.Context, *mesos.Secret) ([]byte, error) `json:"-"`
	// Pulled is told how long each pull took, also those that failed; nil for nobody.
	Pulled func(time.Duration) `json:"-"`
	// Transport speaks to registries; nil for one that trusts the machine's authorities.
	Transport http.RoundTripper `json:"-"`
	// Log hears of pulls.
	Log logr.Logger `json:"-"`
}

// DefaultConfig has Mesos's defaults.
func DefaultConfig() Config {
	return Config{
		Dir:          "/tmp/mesos/store/docker",
		Registry:     "https://registry-1.docker.io",
		StallTimeout: time.Minute,
	}
}

// Validate tells what is wrong with a configuration.
func (c Config) Validate() error {
	var errs []error
	if !filepath.IsAbs(c.Dir) {
		errs = append(errs, fmt.Errorf("docker store directory %q: want an absolute path", c.Dir))
	}
	if c.StallTimeout <= 0 {
		errs = append(errs, fmt.Errorf("stall timeout %v: want more than zero", c.StallTimeout))
	}
	_, err := newSource(c)
	return errors.Join(append(errs, err)...)
}

// Store implements store.Store.
type Store struct {
	cfg    Config
	source source
	images *metadata
	remove sync.WaitGroup

	mu sync.Mutex
	// pulls are under way, by reference and form.
	pulls map[string]*pull
}

var _ store.Store = (*Store)(nil)

// New makes a store.
func New(cfg Config) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	from, err := newSource(cfg)
	if err != nil {
		return nil, err
	}
	s := &Store{cfg: cfg, source: from, pulls: map[string]*pull{}}
	s.images = &metadata{file: filepath.Join(cfg.Dir, "images.json")}
	for _, dir := range []string{cfg.Dir, s.layersDir(), s.configsDir(), s.stagingDir(), s.gcDir()} {
		// Programs in images may have set-user-ID bits: other users must not reach them.
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("making the docker store: %w", err)
		}
	}
	if err := os.Chmod(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the docker store: %w", err)
	}
	return s, nil
}

func (s *Store) layersDir() string  { return filepath.Join(s.cfg.Dir, "layers") }
func (s *Store) configsDir() string { return filepath.Join(s.cfg.Dir, "configs") }
func (s *Store) stagingDir() string { return filepath.Join(s.cfg.Dir, "staging") }
func (s *Store) gcDir() string      { return filepath.Join(s.cfg.Dir, "gc") }

// rootfsName is a layer's directory in a form.
func rootfsName(form layer.Form) string {
	if form == layer.Overlay {
		return "rootfs.overlay"
	}
	return "rootfs"
}

func (s *Store) layer(id string, form layer.Form) string {
	return filepath.Join(s.layersDir(), id, rootfsName(form))
}

// Recover implements store.Store.
func (s *Store) Recover() error {
	if err := s.images.load(); err != nil {
		s.cfg.Log.Error(err, "The list of images can't be read: all are pulled again when they are wanted")
	}
	s.empty(s.stagingDir())
	s.removeLater()
	return nil
}

// Get implements store.Store.
func (s *Store) Get(ctx context.Context, image *mesos.Image, form layer.Form) (store.Image, error) {
	ref, err := ParseReference(image.GetDocker().GetName())
	if err != nil {
		return store.Image{}, err
	}
	if image.GetCached() {
		if known, ok := s.images.get(ref.String()); ok && s.complete(known, form) {
			return s.describe(known, form)
		}
	}
	var credentials Credentials
	if secret := image.GetDocker().GetConfig(); secret != nil {
		if credentials, err = s.credentials(ctx, secret); err != nil {
			return store.Image{}, err
		}
	}
	entry, err := s.pull(ctx, ref, form, credentials)
	if err != nil {
		return store.Image{}, fmt.Errorf("pulling image %s: %w", ref, err)
	}
	return s.describe(entry, form)
}

// credentials are those that came with an image.
func (s *Store) credentials(ctx context.Context, secret *mesos.Secret) (Credentials, error) {
	resolve := s.cfg.Resolve
	if resolve == nil {
		resolve = byValue
	}
	config, err := resolve(ctx, secret)
	if err != nil {
		return nil, fmt.Errorf("resolving the image's credentials: %w", err)
	}
	return ParseCredentials(config)
}

func byValue(_ context.Context, secret *mesos.Secret) ([]byte, error) {
	if secret.GetType() != mesos.Secret_VALUE || secret.GetValue() == nil {
		return nil, errors.New("only secrets by value are supported")
	}
	return secret.GetValue().GetData(), nil
}

// complete says whether all of an image is on disk in a form.
func (s *Store) complete(e entry, form layer.Form) bool {
	for _, id := range e.Layers {
		if _, err := os.Stat(s.layer(id, form)); err != nil {
			return false
		}
	}
	_, err := os.Stat(filepath.Join(s.configsDir(), e.Config))
	return err == nil
}
