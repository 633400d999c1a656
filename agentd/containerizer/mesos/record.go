package mesos

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/process"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/runtime"
)

// recordFile is the name of a record in its container's directory.
const recordFile = "container.json"

// record is what must be known of a container in a later life of the agent. It
// need not survive a crash of the machine, which ends all containers.
type record struct {
	ID      containerizer.ID `json:"id"`
	Runtime string           `json:"runtime"`
	// Boot is the machine's boot_id. Process IDs of another boot mean nothing.
	Boot string `json:"boot"`
	// Stage is the launch stage; zero as long as none was started.
	Stage process.Identity `json:"stage,omitzero"`
	// PID is the first process; zero if the agent didn't live to hear of it.
	PID int `json:"pid,omitempty"`
	// IO is the switchboard; zero for none.
	IO process.Identity `json:"io,omitzero"`
	// Own is the configuration of a container that the agent's checkpoints don't
	// tell of: a nested or standalone one.
	Own *ownConfig `json:"own,omitempty"`
}

// dir is where a container's files are: those of a nested one below its parent's.
func (m *Containerizer) dir(cfg containerizer.Config, parent *container) string {
	if parent != nil {
		return filepath.Join(parent.dir, nestedDir, cfg.ID.Name())
	}
	if cfg.CheckpointDir != "" {
		return cfg.CheckpointDir
	}
	return m.entry(cfg.ID)
}

// entry is a container's place in the index.
func (m *Containerizer) entry(id containerizer.ID) string {
	return filepath.Join(m.index(), string(id))
}

// enter makes the container's directory and its entry in the index.
func (m *Containerizer) enter(c *container) error {
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return fmt.Errorf("making the container's directory: %w", err)
	}
	if c.parent != nil || c.dir == m.entry(c.id) {
		return nil
	}
	if err := os.Symlink(c.dir, m.entry(c.id)); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("listing the container: %w", err)
	}
	return nil
}

// leave removes the entry: nothing of the container is left to be found.
// A container of our own keeps it, to tell how it ended, until it is removed.
func (m *Containerizer) leave(c *container) error {
	if c.own() {
		return nil
	}
	if err := os.RemoveAll(m.entry(c.id)); err != nil { // of a link the link only
		return fmt.Errorf("removing the container from the list: %w", err)
	}
	return nil
}

func (m *Containerizer) keep(c *container, r record) error {
	r.ID, r.Runtime, r.Boot = c.id, c.runtime.Name(), m.boot
	c.mu.Lock()
	if c.io != nil {
		r.IO = c.io.Identity()
	}
	c.mu.Unlock()
	if c.own() {
		var err error
		if r.Own, err = ownConfigOf(c.cfg); err != nil {
			return err
		}
	}
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	// A rename makes it whole for readers, which is all that is needed.
	file := filepath.Join(c.dir, recordFile)
	if err := os.WriteFile(file+".new", data, 0o600); err != nil {
		return fmt.Errorf("keeping the container's record: %w", err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		return fmt.Errorf("keeping the container's record: %w", err)
	}
	return nil
}

// recall reads the record in a container's directory. ok is false if there is none.
func recall(dir string) (r record, ok bool, err error) {
	data, err := os.ReadFile(filepath.Join(dir, recordFile))
	if errors.Is(err, fs.ErrNotExist) {
		return r, false, nil
	} else if err != nil {
		return r, false, fmt.Errorf("reading a container's record: %w", err)
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return r, false, fmt.Errorf("reading the container's record in %s: %w", dir, err)
	}
	return r, true, nil
}

// exitStatus reads what the launch stage wrote; nil if it didn't come to that.
func exitStatus(dir string) *syscall.WaitStatus {
	data, err := os.ReadFile(filepath.Join(dir, runtime.StatusFile))
	if err != nil {
		return nil
	}
	n, err := strconv.ParseUint(string(data), 10, 32)
	if err != nil {
		return nil
	}
	return new(syscall.WaitStatus(n))
}
