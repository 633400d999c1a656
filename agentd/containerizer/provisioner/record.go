package provisioner

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/provisioner/store"
	"github.com/mesos-operator/mesos-operator/agentd/paths"
	"github.com/mesos-operator/mesos-operator/internal/atomicfile"
)

const (
	containersDir = "containers"
	layersFile    = "layers"
)

// use is one root file system of a container.
type use struct {
	Rootfs   string         `json:"rootfs"`
	Backend  string         `json:"backend"`
	Own      bool           `json:"own,omitempty"`
	Layers   []string       `json:"layers"`
	Files    []string       `json:"files,omitempty"`
	Defaults store.Defaults `json:"defaults"`
}

// record is what is kept of a container.
type record struct {
	Images []use `json:"images"`
}

// dir is a container's directory.
func (p *Provisioner) dir(id containerizer.ID) string {
	if parent := id.Parent(); parent != "" {
		return filepath.Join(p.dir(parent), containersDir, id.Name())
	}
	return filepath.Join(p.cfg.Dir, containersDir, string(id))
}

// keep adds a root file system to a container's record.
func (p *Provisioner) keep(id containerizer.ID, u use) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	changed := &record{}
	if r := p.known[id]; r != nil {
		changed.Images = append(changed.Images, r.Images...)
	}
	changed.Images = append(changed.Images, u)
	data, err := json.Marshal(changed)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(p.dir(id), 0o700); err != nil {
		return fmt.Errorf("keeping which layers are in use: %w", err)
	}
	if err := atomicfile.Write(filepath.Join(p.dir(id), layersFile), data, 0o600); err != nil {
		return fmt.Errorf("keeping which layers are in use: %w", err)
	}
	p.known[id] = changed
	return nil
}

// Recover takes over the root file systems of containers that are known, and removes all
// others. It comes first. What can't be removed is told in the log: it must not keep the
// agent from starting.
func (p *Provisioner) Recover(known map[containerizer.ID]bool) error {
	for _, s := range p.cfg.Stores {
		if err := s.Recover(); err != nil {
			return err
		}
	}
	return p.recover("", known)
}

func (p *Provisioner) recover(parent containerizer.ID, known map[containerizer.ID]bool) error {
	dir := filepath.Join(p.cfg.Dir, containersDir)
	if parent != "" {
		dir = filepath.Join(p.dir(parent), containersDir)
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return fmt.Errorf("looking for root file systems: %w", err)
	}
	for _, e := range entries {
		id := containerizer.ID(e.Name())
		if parent != "" {
			id = parent.Child(e.Name())
		}
		if !known[id] || paths.CheckID(e.Name()) != nil {
			p.cfg.Log.Info("Removing the root file systems of a container that nobody knows", "container", id)
			if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
				p.cfg.Log.Error(err, "Removing root file systems", "container", id)
			}
			continue
		}
		if err := p.recall(id); err != nil {
			p.cfg.Log.Error(err, "Which layers a container uses can't be read", "container", id)
		}
		if err := p.recover(id, known); err != nil {
			return err
		}
	}
	return nil
}

func (p *Provisioner) recall(id containerizer.ID) error {
	data, err := os.ReadFile(filepath.Join(p.dir(id), layersFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // a parent without an image
	} else if err != nil {
		return err
	}
	var r record
	if err := json.Unmarshal(data, &r); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known[id] = &r
	return nil
}
