package mesos

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
)

// adoptStandalone makes the standalone containers known that the index lists.
func (m *Containerizer) adoptStandalone() ([]*container, error) {
	entries, err := os.ReadDir(m.index())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	var out []*container
	for _, e := range entries {
		if !e.IsDir() { // a link is a container that the agent knows, or an orphan
			continue
		}
		if c := m.adopt(containerizer.ID(e.Name()), filepath.Join(m.index(), e.Name()), nil); c != nil {
			out = append(out, c)
		}
	}
	return out, nil
}

// adoptNested makes the containers known that are nested in one, at any depth.
func (m *Containerizer) adoptNested(parent *container) []*container {
	var out []*container
	for _, name := range nestedNames(parent.dir) {
		c := m.adopt(parent.id.Child(name), filepath.Join(parent.dir, nestedDir, name), parent)
		if c != nil {
			out = append(out, c)
			out = append(out, m.adoptNested(c)...)
		}
	}
	return out
}

// adopt makes a container of our own known by its record; nil if it has none: then it
// was never started.
func (m *Containerizer) adopt(id containerizer.ID, dir string, parent *container) *container {
	r, ok, err := recall(dir)
	if err == nil && (!ok || r.Own == nil || checkID(id) != nil || parent == nil && !r.Own.Standalone) {
		return nil
	}
	var cfg containerizer.Config
	if err == nil {
		cfg, err = r.Own.config(id)
	}
	if err != nil {
		m.log.Error(err, "Container has no usable record", "container_id", id)
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.containers[id] != nil {
		return nil
	}
	c := m.newContainer(cfg, parent)
	m.containers[id] = c
	return c
}

// nestedNames lists what is nested in the container of a directory.
func nestedNames(dir string) []string {
	entries, err := os.ReadDir(filepath.Join(dir, nestedDir))
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names
}
