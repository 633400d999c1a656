package docker

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/provisioner/layer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/provisioner/store"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/atomicfile"
)

// entry is an image of the store.
type entry struct {
	// Layers are diff IDs, the base first.
	Layers []string `json:"layers"`
	// Config is the digest of the configuration.
	Config string `json:"config"`
}

// metadata is the list of images, which is also on disk.
type metadata struct {
	file string

	mu     sync.Mutex
	images map[string]entry
}

func (m *metadata) load() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.images = map[string]entry{}
	data, err := os.ReadFile(m.file)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(data) == 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the list of images: %w", err)
	}
	images := map[string]entry{}
	if err := json.Unmarshal(data, &images); err != nil {
		return fmt.Errorf("reading the list of images: %w", err)
	}
	for name, e := range images {
		if e.valid() {
			m.images[name] = e
		}
	}
	return nil
}

// valid says whether an entry names files of the store and nothing else.
func (e entry) valid() bool {
	for _, id := range append([]string{e.Config}, e.Layers...) {
		if _, err := v1.NewHash(id); err != nil || strings.ContainsAny(id, "/") {
			return false
		}
	}
	return len(e.Layers) > 0
}

func (m *metadata) get(name string) (entry, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.images[name]
	return e, ok
}

func (m *metadata) put(name string, e entry) error {
	return m.change(func(images map[string]entry) { images[name] = e })
}

// retain forgets all but some, and returns those.
func (m *metadata) retain(names map[string]bool) (map[string]entry, error) {
	err := m.change(func(images map[string]entry) {
		maps.DeleteFunc(images, func(name string, _ entry) bool { return !names[name] })
	})
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.images), err
}

func (m *metadata) change(f func(map[string]entry)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	changed := maps.Clone(m.images)
	if changed == nil {
		changed = map[string]entry{}
	}
	f(changed)
	data, err := json.Marshal(changed)
	if err == nil {
		err = atomicfile.Write(m.file, data, 0o600)
	}
	if err != nil {
		return fmt.Errorf("keeping the list of images: %w", err)
	}
	m.images = changed
	return nil
}

// describe returns an image that is on disk.
func (s *Store) describe(e entry, form layer.Form) (store.Image, error) {
	file := filepath.Join(s.configsDir(), e.Config)
	f, err := os.Open(file)
	if err != nil {
		return store.Image{}, fmt.Errorf("reading the image's configuration: %w", err)
	}
	defer f.Close()
	config, err := v1.ParseConfigFile(f)
	if err != nil {
		return store.Image{}, fmt.Errorf("%w: reading its configuration: %w", store.ErrInvalid, err)
	}
	c := config.Config
	out := store.Image{Files: []string{file}, Defaults: store.Defaults{
		Type: mesos.Image_DOCKER, Entrypoint: c.Entrypoint, Cmd: c.Cmd, Env: c.Env, WorkingDir: c.WorkingDir, User: c.User,
		StopSignal: c.StopSignal,
	}}
	for _, id := range e.Layers {
		out.Layers = append(out.Layers, s.layer(id, form))
	}
	return out, nil
}
