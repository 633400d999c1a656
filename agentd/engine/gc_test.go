package engine

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mesos-operator/mesos-operator/agentd/state"
)

func newTestCollector(dir string) *collector {
	cfg := Config{GCDelay: time.Hour, GCDiskHeadroom: 0.1, State: state.Config{WorkDir: dir}}.withDefaults()
	return newCollector(cfg, cfg.Log)
}

// TestCollectWithin collects directories of a sandbox whose owner made links of what
// leads to them.
func TestCollectWithin(t *testing.T) {
	outside := t.TempDir()
	precious := filepath.Join(outside, "containers", "c", "file")
	for name, c := range map[string]struct {
		link func(sandbox string) error
		gone bool
		kept string // another file that has to be there afterwards
	}{
		"a directory": {gone: true, kept: precious},
		"its parent leads out": {link: func(sandbox string) error {
			dir := filepath.Join(sandbox, "containers")
			if err := os.RemoveAll(dir); err != nil {
				return err
			}
			return os.Symlink(filepath.Join(outside, "containers"), dir)
		}, kept: precious},
		"it is a link itself": {link: func(sandbox string) error {
			dir := filepath.Join(sandbox, "containers", "c")
			if err := os.RemoveAll(dir); err != nil {
				return err
			}
			return os.Symlink(filepath.Join(outside, "containers", "c"), dir)
		}, gone: true, kept: precious},
	} {
		t.Run(name, func(t *testing.T) {
			sandbox := t.TempDir()
			path := filepath.Join(sandbox, "containers", "c")
			for _, dir := range []string{path, filepath.Dir(precious)} {
				if err := os.MkdirAll(dir, 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if c.link != nil {
				if err := c.link(sandbox); err != nil {
					t.Fatal(err)
				}
			}
			g := newTestCollector(sandbox)
			g.collectWithin(sandbox, path, false)
			g.sweep(t.Context(), time.Now().Add(time.Minute))
			if _, err := os.Lstat(path); (err != nil) != c.gone && c.link == nil {
				t.Errorf("after the collection: %v", err)
			}
			if _, err := os.Stat(c.kept); err != nil {
				t.Error(err)
			}
			if n := g.succeeded.Load() + g.failed.Load(); n != 1 || g.pending() != 0 {
				t.Errorf("%d removals, %d pending", n, g.pending())
			}
		})
	}
	g := newTestCollector(outside)
	g.collectWithin(outside, filepath.Dir(outside), false) // not in it at all
	g.collectWithin(outside, outside, false)
	g.sweep(t.Context(), time.Now().Add(time.Minute))
	if _, err := os.Stat(precious); err != nil || g.failed.Load() != 2 {
		t.Errorf("%v, %d failed", err, g.failed.Load())
	}
}

// TestCollectorAge holds the age against Mesos's formula: gc_delay * (1 - gc_disk_headroom -
// used), and never less than zero.
func TestCollectorAge(t *testing.T) {
	g := newTestCollector(t.TempDir())
	for used, want := range map[float64]time.Duration{
		0: 54 * time.Minute, 0.4: 30 * time.Minute, 0.9: 0, 0.95: 0, 1: 0,
	} {
		if got := g.age(used); math.Abs((got - want).Seconds()) > 1e-6 {
			t.Errorf("with %v of the disk in use garbage may get %v old, want %v", used, got, want)
		}
	}
}

// TestCollectorLooksAtTheDisk has garbage removed when it has got as old as it may, as seen
// at the next look at the disk, and not before.
func TestCollectorLooksAtTheDisk(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "garbage")
	if err := os.Mkdir(path, 0o755); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		cfg := Config{GCDelay: time.Hour, DiskWatchInterval: time.Minute, State: state.Config{WorkDir: dir}}.withDefaults()
		g := newCollector(cfg, cfg.Log)
		used := 0.5
		g.used = func(string) (float64, error) { return used, nil }
		go g.run(t.Context())
		g.collect(path, false, nil)
		if got := time.Duration(g.maxAge.Load()); got != time.Hour {
			t.Errorf("before the first look garbage may get %v old, want gc_delay", got)
		}
		at := func(d time.Duration, age time.Duration, gone bool) {
			t.Helper()
			time.Sleep(d)
			synctest.Wait()
			if _, err := os.Stat(path); (err != nil) != gone || time.Duration(g.maxAge.Load()) != age {
				t.Errorf("%v, may get %v old, want %v", err, time.Duration(g.maxAge.Load()), age)
			}
		}
		at(90*time.Second, 30*time.Minute, false)
		at(28*time.Minute, 30*time.Minute, false) // 29:30 old
		used = 0.75                               // from now on 15 minutes are enough, but nobody has looked
		at(10*time.Second, 30*time.Minute, false)
		at(20*time.Second, 15*time.Minute, true)
	})
}

// TestReuseInOneGo removes an executor and a task and uses both again before the disk was
// waited for once: what is used must not be collected.
func TestReuseInOneGo(t *testing.T) {
	dir := t.TempDir()
	e := &Engine{cfg: Config{State: state.Config{WorkDir: dir}}.withDefaults(), gc: newTestCollector(dir)}
	task := state.TaskRemoved{AgentID: "a", FrameworkID: "f", ExecutorID: "e2", Container: "c2", TaskID: "t"}
	err := e.perform(t.Context(), []state.Effect{
		state.ExecutorRemoved{AgentID: "a", FrameworkID: "f", ExecutorID: "e", Container: "c", Checkpoint: true},
		state.FrameworkRemoved{AgentID: "a", FrameworkID: "f", Checkpoint: true},
		state.DirectoriesReused{AgentID: "a", FrameworkID: "f", ExecutorID: "e"},
		task, state.TaskReused(task),
	})
	if err != nil {
		t.Fatal(err)
	}
	for path := range e.gc.due {
		if filepath.Base(path) != "c" { // the run that is over
			t.Errorf("%s is collected", path)
		}
	}
	if n := e.gc.pending(); n != 2 {
		t.Errorf("%d paths are collected, want that run in both trees", n)
	}
}

// TestCollectLeavesMounts has mounts left in garbage: they are unmounted, and what is behind
// them stays. What can't be unmounted stays as a whole.
func TestCollectLeavesMounts(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: mounts a directory")
	}
	dir, volume := t.TempDir(), t.TempDir()
	precious := filepath.Join(volume, "file")
	if err := os.WriteFile(precious, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	mounted := func(name string) (run, target string) {
		t.Helper()
		run = filepath.Join(dir, name)
		target = filepath.Join(run, "volume")
		if err := os.MkdirAll(target, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mount(volume, target, "", unix.MS_BIND, ""); err != nil {
			t.Skipf("mounting: %v", err)
		}
		t.Cleanup(func() { _ = unix.Unmount(target, unix.MNT_DETACH) }) // if the collector hasn't
		return run, target
	}
	g := newTestCollector(dir)
	left, target := mounted("left")
	if err := unix.Mount(volume, target, "", unix.MS_BIND, ""); err != nil { // over the first
		t.Fatal(err)
	}
	neighbour, _ := mounted("left2") // whose name only begins like it
	g.collect(left, false, nil)
	g.sweep(t.Context(), time.Now().Add(time.Minute))
	if _, err := os.Stat(left); !errors.Is(err, fs.ErrNotExist) || g.succeeded.Load() != 1 {
		t.Errorf("garbage with a mount: %v", err)
	}
	if _, err := os.Stat(filepath.Join(neighbour, "volume", "file")); err != nil {
		t.Errorf("a mount elsewhere: %v", err)
	}
	// Nor are links of a task followed to mounts of others.
	sandbox := filepath.Join(dir, "sandbox")
	if err := os.Mkdir(sandbox, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(neighbour, filepath.Join(sandbox, "containers")); err != nil {
		t.Fatal(err)
	}
	g.collectWithin(sandbox, filepath.Join(sandbox, "containers", "volume"), false)
	g.sweep(t.Context(), time.Now().Add(time.Minute))
	if _, err := os.Stat(filepath.Join(neighbour, "volume", "file")); err != nil {
		t.Errorf("a mount behind a link: %v", err)
	}
	failed := g.failed.Load()
	busy, err := os.Open(filepath.Join(neighbour, "volume", "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	g.collect(neighbour, false, nil)
	g.sweep(t.Context(), time.Now().Add(time.Minute))
	if g.failed.Load() != failed+1 {
		t.Errorf("a mount in use: %d failed, want %d", g.failed.Load(), failed+1)
	}
	if _, err := os.Stat(precious); err != nil {
		t.Errorf("what was mounted: %v", err)
	}
}

// What went with the directory that it was in is no failure to remove.
func TestCollectWhatIsGone(t *testing.T) {
	if err := (garbage{}).remove(filepath.Join(t.TempDir(), "executor", "runs", "r")); err != nil {
		t.Error(err)
	}
}
