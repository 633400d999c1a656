// Package volumegid lets containers of different users share a volume: the volume is
// given a group of its own, out of --volume_gid_range, and every container that has the
// volume has that group beside its user's. Persistent volumes keep it until they are
// destroyed, directories of a sandbox that nested containers share until the
// outer container ends.
//
// Isolators ask for groups while they prepare containers; the containerizer makes
// the manager and tells it which containers have ended. What was given is on disk before
// it takes effect, and durable: a volume outlives the machine's boot.
package volumegid

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/go-logr/logr"
	"github.com/moby/sys/user"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/idpool"
	"github.com/mesos-operator/mesos-operator/agentd/paths"
	"github.com/mesos-operator/mesos-operator/internal/atomicfile"
)

// Kind is what a volume is.
type Kind string

// The kinds of volumes.
const (
	// Persistent is a persistent volume.
	Persistent Kind = "persistent"
	// Sandbox is a directory in the sandbox of a container with others nested in it.
	Sandbox Kind = "sandbox"
)

// Config says what to give.
type Config struct {
	// WorkDir is the agent's work directory.
	WorkDir string
	// Root is a prefix by which the agent reaches the node's files.
	Root string
	// Range are the groups (--volume_gid_range).
	Range string
	// Boot is the machine's boot_id.
	Boot string
	// Log is told of volumes that can't be taken back.
	Log logr.Logger
}

// Manager knows which volume has which group. Its methods may be called from any
// goroutine.
type Manager struct {
	cfg Config

	mu    sync.Mutex
	pool  *idpool.Pool
	given map[string]*grant // by path
}

// grant is the group of a volume.
type grant struct {
	Kind Kind   `json:"kind"`
	GID  uint32 `json:"gid"`
	// set is closed when the volume has it; err says that it hasn't.
	set chan struct{}
	err error
}

// kept is the file.
type kept struct {
	Boot    string            `json:"boot"`
	Volumes map[string]*grant `json:"volumes"`
}

// New returns the manager, with what it gave in its earlier lives. Needs root.
func New(cfg Config) (*Manager, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("groups for volumes: the agent is not root")
	}
	pool, err := idpool.Parse(cfg.Range, math.MaxUint32-1) // the last means "leave it" in chown(2)
	if err != nil {
		return nil, fmt.Errorf("groups for volumes: %w", err)
	}
	m := &Manager{cfg: cfg, pool: pool, given: map[string]*grant{}}
	if err := m.recall(); err != nil {
		return nil, fmt.Errorf("groups for volumes: %w", err)
	}
	return m, nil
}

func (m *Manager) file() string { return paths.VolumeGIDs(m.cfg.WorkDir) }

// recall reads the file. After a reboot no container is left, so neither is a
// sandbox that is shared.
func (m *Manager) recall() error {
	data, err := os.ReadFile(m.file())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	var k kept
	if err := json.Unmarshal(data, &k); err != nil {
		return fmt.Errorf("reading %s: %w", m.file(), err)
	}
	for path, g := range k.Volumes {
		if g == nil {
			continue
		}
		g.set = make(chan struct{})
		close(g.set)
		m.given[path] = g
		m.pool.Hold(uint64(g.GID))
	}
	if k.Boot != m.cfg.Boot {
		m.release(func(_ string, g *grant) bool { return g.Kind == Sandbox })
	}
	m.sweep()
	return m.keep()
}

// Give returns the group of a volume, after giving it one if it has none. A
// path whose group is one of the range already is another name of a volume, and keeps it.
func (m *Manager) Give(path string, kind Kind) (uint32, error) {
	g, isNew, err := m.grant(path, kind)
	if err != nil {
		return 0, fmt.Errorf("a group for volume %s: %w", path, err)
	}
	if g.set == nil {
		return g.GID, nil
	}
	if isNew {
		g.err = own(filepath.Join(m.cfg.Root, path), int(g.GID), true)
		close(g.set)
	}
	<-g.set
	if g.err != nil {
		m.Release(path)
		return 0, fmt.Errorf("giving volume %s to group %d: %w", path, g.GID, g.err)
	}
	return g.GID, nil
}

// grant finds or makes the grant; who makes it has to set it.
func (m *Manager) grant(path string, kind Kind) (g *grant, isNew bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if g := m.given[path]; g != nil {
		return g, false, nil
	}
	info, err := os.Stat(filepath.Join(m.cfg.Root, path))
	if err != nil {
		return nil, false, err
	}
	if gid := gidOf(info); m.pool.Owns(uint64(gid)) {
		return &grant{GID: gid}, false, nil
	}
	m.sweep()
	gid, err := m.pool.Take()
	if err != nil {
		return nil, false, err
	}
	g = &grant{Kind: kind, GID: uint32(gid), set: make(chan struct{})}
	m.given[path] = g
	if err := m.keep(); err != nil {
		delete(m.given, path)
		m.pool.Release(gid)
		return nil, false, err
	}
	return g, true, nil
}

// Release takes back the group of a volume and of all below a path: that of a sandbox,
// when its container has ended. Shared directories stay for a while, and go back to
// their owner's group, so that who is given the group next can't read them.
func (m *Manager) Release(path string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.release(func(p string, _ *grant) bool { return p == path || strings.HasPrefix(p, path+"/") })
	if n == 0 {
		return
	}
	if err := m.keep(); err != nil {
		m.cfg.Log.Error(err, "Keeping which groups volumes have")
	}
}

func (m *Manager) release(which func(path string, g *grant) bool) (n int) {
	for path, g := range m.given {
		if !which(path, g) {
			continue
		}
		n++
		delete(m.given, path)
		m.pool.Release(uint64(g.GID))
		if g.Kind != Sandbox {
			continue
		}
		if err := m.giveBack(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			m.cfg.Log.Error(err, "Giving a volume back to its owner's group", "volume", path)
		}
	}
	return n
}

func (m *Manager) giveBack(path string) error {
	path = filepath.Join(m.cfg.Root, path)
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	u, err := user.GetExecUserPath(fmt.Sprint(uidOf(info)), nil, filepath.Join(m.cfg.Root, "/etc/passwd"), filepath.Join(m.cfg.Root, "/etc/group"))
	if err != nil {
		return err
	}
	return own(path, u.Gid, false)
}

// sweep takes back the groups of volumes that were destroyed.
func (m *Manager) sweep() {
	m.release(func(path string, g *grant) bool {
		_, err := os.Lstat(filepath.Join(m.cfg.Root, path))
		return errors.Is(err, fs.ErrNotExist)
	})
}

func (m *Manager) keep() error {
	data, err := json.Marshal(kept{Boot: m.cfg.Boot, Volumes: m.given})
	if err != nil {
		return err
	}
	if err := atomicfile.MkdirAll(filepath.Dir(m.file()), 0o755); err != nil {
		return fmt.Errorf("keeping which groups volumes have: %w", err)
	}
	if err := atomicfile.Write(m.file(), data, 0o600); err != nil {
		return fmt.Errorf("keeping which groups volumes have: %w", err)
	}
	return nil
}

// Gauges calls emit for the figures of the manager, by the names of metrics.
func (m *Manager) Gauges(emit func(name string, value float64)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sweep()
	emit("volume_gid_manager/volume_gids_total", float64(m.pool.Total()))
	emit("volume_gid_manager/volume_gids_free", float64(m.pool.Free()))
}
