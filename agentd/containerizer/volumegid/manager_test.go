package volumegid

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/go-logr/logr"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/idpool"
)

func manager(t *testing.T, cfg Config) *Manager {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: gives files away")
	}
	cfg.Log = logr.Discard()
	m, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func config(t *testing.T) Config {
	return Config{WorkDir: t.TempDir(), Range: "[10000-10001]", Boot: "a"}
}

// volume is a directory with a file, a directory and a link out of it.
func volume(t *testing.T, dir, name string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := errors.Join(
		os.MkdirAll(filepath.Join(path, "sub"), 0o755),
		os.WriteFile(filepath.Join(path, "sub/file"), nil, 0o640),
		os.Symlink("/etc/hostname", filepath.Join(path, "link")),
	); err != nil {
		t.Fatal(err)
	}
	return path
}

func group(t *testing.T, path string) (gid uint32, mode fs.FileMode) {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t).Gid, info.Mode()
}

func free(m *Manager) (n float64) {
	m.Gauges(func(name string, v float64) {
		if name == "volume_gid_manager/volume_gids_free" {
			n = v
		}
	})
	return n
}

func give(t *testing.T, m *Manager, path string, kind Kind) uint32 {
	t.Helper()
	gid, err := m.Give(path, kind)
	if err != nil {
		t.Fatal(err)
	}
	return gid
}

// TestRootGive: a volume and all in it is its group's, what is made in it too, and
// what its links lead to is not.
func TestRootGive(t *testing.T) {
	m := manager(t, config(t))
	v := volume(t, t.TempDir(), "v")
	before, _ := group(t, "/etc/hostname")
	if gid := give(t, m, v, Persistent); gid != 10000 {
		t.Errorf("group %d", gid)
	}
	for _, name := range []string{"", "sub", "sub/file", "link"} {
		gid, mode := group(t, filepath.Join(v, name))
		if gid != 10000 {
			t.Errorf("%q is of the group %d", name, gid)
		}
		if mode.IsDir() && (mode&fs.ModeSetgid == 0 || mode.Perm() != 0o775) {
			t.Errorf("%q has the mode %v", name, mode)
		}
	}
	if after, _ := group(t, "/etc/hostname"); after != before {
		t.Error("a link was followed")
	}
	if gid := give(t, m, v, Persistent); gid != 10000 || free(m) != 1 {
		t.Errorf("given again: group %d, %v free", gid, free(m))
	}
	if gid := give(t, m, filepath.Join(v, "sub"), Sandbox); gid != 10000 || free(m) != 1 {
		t.Errorf("by another name: group %d, %v free", gid, free(m))
	}
}

// TestRootExhausted: a group has one volume, until that is destroyed.
func TestRootExhausted(t *testing.T) {
	m := manager(t, config(t))
	dir := t.TempDir()
	a, b, c := volume(t, dir, "a"), volume(t, dir, "b"), volume(t, dir, "c")
	if x, y := give(t, m, a, Persistent), give(t, m, b, Persistent); x == y {
		t.Errorf("both have the group %d", x)
	}
	if _, err := m.Give(c, Persistent); !errors.Is(err, idpool.ErrExhausted) {
		t.Errorf("a third of two groups: %v", err)
	}
	if err := os.RemoveAll(a); err != nil {
		t.Fatal(err)
	}
	if got := free(m); got != 1 {
		t.Errorf("%v are free after a volume was destroyed", got)
	}
	if gid := give(t, m, c, Persistent); gid != 10000 {
		t.Errorf("group %d", gid)
	}
}

// TestRootSandbox: a shared directory goes back to its owner's group when the container ends,
// and not when one ends whose sandbox only begins with the same letters.
func TestRootSandbox(t *testing.T) {
	m := manager(t, config(t))
	sandbox := filepath.Join(t.TempDir(), "run")
	shared := volume(t, sandbox, "shared")
	give(t, m, shared, Sandbox)
	m.Release(sandbox[:len(sandbox)-1])
	if got := free(m); got != 1 {
		t.Fatalf("%v are free", got)
	}
	m.Release(sandbox)
	if got := free(m); got != 2 {
		t.Errorf("%v are free", got)
	}
	for _, name := range []string{"", "sub", "sub/file"} {
		gid, mode := group(t, filepath.Join(shared, name))
		if gid != 0 || mode&fs.ModeSetgid != 0 || mode.Perm()&0o020 != 0 {
			t.Errorf("%q is of the group %d with the mode %v", name, gid, mode)
		}
	}
}

// TestRootRecover: what was given is known to the agent's next life. After a reboot
// there is no container left that shares its sandbox.
func TestRootRecover(t *testing.T) {
	for name, tt := range map[string]struct {
		boot  string
		rng   string
		gone  bool
		free  float64
		group uint32 // of the shared directory
	}{
		"restart":                   {boot: "a", rng: "[10000-10002]", free: 1, group: 10001},
		"reboot":                    {boot: "b", rng: "[10000-10002]", free: 2},
		"destroyed meanwhile":       {boot: "a", rng: "[10000-10002]", gone: true, free: 2, group: 10001},
		"another range":             {boot: "a", rng: "[20000-20004]", free: 5, group: 10001},
		"another range, one of old": {boot: "a", rng: "[10001-10004]", free: 3, group: 10001},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config(t)
			m := manager(t, cfg)
			dir := t.TempDir()
			v, shared := volume(t, dir, "v"), volume(t, dir, "run/shared")
			give(t, m, v, Persistent)
			give(t, m, shared, Sandbox)
			if tt.gone {
				if err := os.RemoveAll(v); err != nil {
					t.Fatal(err)
				}
			}
			cfg.Boot, cfg.Range = tt.boot, tt.rng
			m = manager(t, cfg)
			if got := free(m); got != tt.free {
				t.Errorf("%v are free, want %v", got, tt.free)
			}
			if gid, _ := group(t, shared); gid != tt.group {
				t.Errorf("the shared directory is of the group %d", gid)
			}
			if !tt.gone {
				if gid := give(t, m, v, Persistent); gid != 10000 {
					t.Errorf("the volume has the group %d now", gid)
				}
			}
		})
	}
}

// TestRootAtOnce: containers that start together get the group of their volume together, and
// not before it is the volume's.
func TestRootAtOnce(t *testing.T) {
	m := manager(t, config(t))
	v := volume(t, t.TempDir(), "v")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			gid, err := m.Give(v, Persistent)
			if is, _ := group(t, filepath.Join(v, "sub/file")); err != nil || gid != 10000 || is != gid {
				t.Errorf("given %d, %v; the file is of %d", gid, err, is)
			}
		})
	}
	wg.Wait()
	if got := free(m); got != 1 {
		t.Errorf("%v are free", got)
	}
}

func TestRootBad(t *testing.T) {
	cfg := config(t)
	m := manager(t, cfg)
	if _, err := m.Give("/no/such/volume", Persistent); !errors.Is(err, fs.ErrNotExist) || free(m) != 2 {
		t.Errorf("a volume that isn't there: %v, %v free", err, free(m))
	}
	for _, rng := range []string{"", "[0-5]", "[]", "[5-4294967295]", "many"} {
		bad := cfg
		bad.Range = rng
		if _, err := New(bad); err == nil {
			t.Errorf("the range %q was taken", rng)
		}
	}
	if err := os.WriteFile(m.file(), []byte("{"), 0o600); err == nil {
		if _, err := New(cfg); err == nil {
			t.Error("a file that can't be read was taken")
		}
	}
}
