package mesos

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/cgroups"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// below describes a container nested in another, which runs a script. Its
// Sandbox is where the containerizer will make it.
func below(parent containerizer.Config, name, script string) containerizer.Config {
	return containerizer.Config{
		ID:          parent.ID.Child(name),
		Command:     &mesos.CommandInfo{Shell: new(true), Value: new(script)},
		Sandbox:     filepath.Join(parent.Sandbox, "containers", name),
		Environment: map[string]string{"NAME": name},
	}
}

func TestNested(t *testing.T) {
	t.Setenv("LEAKED", " of the agent's environment")
	each(t, func(t *testing.T, cfg Config) {
		m := agent(t, cfg)
		root := sh(t, cfg, "root", "sleep 600")
		launch(t, m, root)
		child := below(root, "child", `echo "$NAME $(pwd) $MESOS_SANDBOX$LEAKED"; sleep 600`)
		started := launch(t, m, child)
		grandchild := below(child, "grandchild", `echo $NAME; exit 7`)
		launch(t, m, grandchild)

		if out, want := waitFor(t, child, "stdout"), "child "+child.Sandbox+" "+child.Sandbox+"\n"; out != want {
			t.Errorf("stdout %q, want %q", out, want)
		}
		if end := wait(t, m, grandchild.ID); end.Status == nil || end.Status.ExitStatus() != 7 {
			t.Errorf("ended %+v", end)
		}
		if end := wait(t, m, grandchild.ID); end.Status == nil || end.Status.ExitStatus() != 7 {
			t.Errorf("asked again: ended %+v", end)
		}
		status, err := m.Status(deadline(t), child.ID)
		if err != nil || status.GetContainerId().GetParent().GetValue() != "root" || status.GetExecutorPid() != uint32(started.PID) {
			t.Errorf("status %v, error %v", status, err)
		}
		for _, again := range []containerizer.Config{child, grandchild} {
			if _, err := m.Launch(deadline(t), again); !errors.Is(err, containerizer.ErrExists) {
				t.Errorf("launched again: %v", err)
			}
		}
		if err := m.Remove(deadline(t), child.ID); !errors.Is(err, containerizer.ErrRunning) {
			t.Errorf("removing what runs: %v", err)
		}
		if err := m.Remove(deadline(t), grandchild.ID); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(grandchild.Sandbox); err == nil {
			t.Error("the sandbox is left")
		}
		if _, err := m.Wait(deadline(t), grandchild.ID); !errors.Is(err, containerizer.ErrUnknown) {
			t.Errorf("waiting for what was removed: %v", err)
		}

		// What is nested ends with its parent, and is known until that is removed.
		if err := m.Destroy(deadline(t), root.ID); err != nil {
			t.Fatal(err)
		}
		if end := wait(t, m, child.ID); end.Status == nil || end.Status.Signal() != syscall.SIGKILL {
			t.Errorf("ended %+v", end)
		}
		if _, err := m.Launch(deadline(t), below(root, "late", "true")); !errors.Is(err, containerizer.ErrParent) {
			t.Errorf("launched below what ended: %v", err)
		}
		if err := m.Remove(deadline(t), root.ID); err != nil {
			t.Error(err)
		}
		if _, err := m.Wait(deadline(t), child.ID); !errors.Is(err, containerizer.ErrUnknown) {
			t.Errorf("waiting for what was removed: %v", err)
		}
		if err := m.Remove(deadline(t), child.ID); !errors.Is(err, containerizer.ErrUnknown) {
			t.Errorf("removing below what is unknown: %v", err)
		}
	})
}

func TestNestedRefused(t *testing.T) {
	cfg := config(t, variants[0])
	m := agent(t, cfg)
	root := sh(t, cfg, "root", "sleep 600")
	if _, err := m.Launch(deadline(t), below(root, "c", "true")); !errors.Is(err, containerizer.ErrParent) {
		t.Errorf("without a parent: %v", err)
	}
	launch(t, m, root)
	bad := below(root, "c/../../x", "true")
	if _, err := m.Launch(deadline(t), bad); err == nil {
		t.Error("a name with slashes was accepted")
	}
	deep := root.ID
	for range maxDepth {
		deep = deep.Child("x")
	}
	if _, err := m.Launch(deadline(t), containerizer.Config{ID: deep, Command: root.Command}); !errors.Is(err, containerizer.ErrUnsupported) {
		t.Errorf("too deep: %v", err)
	}
	failing := below(root, "c", "")
	failing.Command = &mesos.CommandInfo{Shell: new(false), Value: new("/no/such/command")}
	if _, err := m.Launch(deadline(t), failing); err == nil {
		t.Error("no error")
	}
	if _, err := m.Wait(deadline(t), failing.ID); !errors.Is(err, containerizer.ErrUnknown) {
		t.Errorf("waiting for what never ran: %v", err)
	}
	// The task owns the sandbox: it must not lead the agent elsewhere.
	outside := t.TempDir()
	if err := os.RemoveAll(filepath.Join(root.Sandbox, "containers")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(root.Sandbox, "containers")); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Launch(deadline(t), below(root, "escape", "true")); err == nil {
		t.Error("the sandbox was made through a link")
	}
	if entries, err := os.ReadDir(outside); err != nil || len(entries) > 0 {
		t.Errorf("outside: %v, error %v", entries, err)
	}
}

// A container that is killed before its command runs counts as killed by SIGKILL.
func TestNestedKilledDuringLaunch(t *testing.T) {
	each(t, func(t *testing.T, cfg Config) {
		m := agent(t, cfg)
		root := sh(t, cfg, "root", "sleep 600")
		launch(t, m, root)
		fetching := make(chan struct{})
		m.fetcher = slowFetcher{fetching}
		c := below(root, "c", "sleep 600")
		c.Command.Uris = []*mesos.CommandInfo_URI{{Value: new("http://slow/f")}}
		launched := make(chan error, 1)
		go func() {
			_, err := m.Launch(context.Background(), c)
			launched <- err
		}()
		<-fetching
		if err := m.Kill(deadline(t), c.ID, syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		if end := wait(t, m, c.ID); end.Status == nil || *end.Status != 9 {
			t.Errorf("ended %+v", end)
		}
		if err := <-launched; !errors.Is(err, containerizer.ErrDestroyed) {
			t.Errorf("launch: %v", err)
		}
		if err := m.Kill(deadline(t), c.ID, syscall.SIGTERM); !errors.Is(err, containerizer.ErrUnknown) {
			t.Errorf("killed again: %v", err)
		}
	})
}

// A debug container is where its parent is, and sees what its parent sees.
func TestDebug(t *testing.T) {
	each(t, func(t *testing.T, cfg Config) {
		m := agent(t, cfg)
		root := sh(t, cfg, "root", "sleep 600")
		launch(t, m, root)
		task := below(root, "task", "echo here > file; sleep 600")
		started := launch(t, m, task)
		waitFor(t, task, "file")
		debug := below(task, "debug", `pwd; cat file; echo $NAME $MESOS_SANDBOX $EXTRA; readlink /proc/self/ns/pid /proc/self/ns/mnt`)
		debug.Class, debug.Environment = containerizer.ClassDebug, map[string]string{"EXTRA": "more"}
		launch(t, m, debug)
		said, _ := all(t, attachOutput(t, m, debug.ID))
		if end := wait(t, m, debug.ID); end.Status == nil || *end.Status != 0 {
			t.Errorf("ended %+v; %s", end, read(t, debug, "stderr"))
		}
		want := []string{task.Sandbox, "here", "task " + task.Sandbox + " more"}
		for _, kind := range []string{"pid", "mnt"} {
			link, err := os.Readlink("/proc/" + strconv.Itoa(started.PID) + "/ns/" + kind)
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, link)
		}
		if got := strings.TrimSpace(said); got != strings.Join(want, "\n") {
			t.Errorf("it said\n%s\nwant\n%s", got, strings.Join(want, "\n"))
		}
	})
}

// Nested containers that share cgroups have their parent's limits alone; others have
// their own beside it.
func TestRootNestedLimits(t *testing.T) {
	privileged(t, func(t *testing.T, cfg Config) {
		m := agent(t, cfg)
		root := sh(t, cfg, "root", "sleep 600")
		launch(t, m, root)
		shared, own := below(root, "shared", "sleep 600"), below(root, "own", "sleep 600")
		shared.Resources, own.Resources = root.Resources, root.Resources
		own.Container = &mesos.ContainerInfo{
			Type:      mesos.ContainerInfo_MESOS.Enum(),
			LinuxInfo: &mesos.LinuxInfo{ShareCgroups: new(false)},
		}
		for _, c := range []containerizer.Config{shared, own} {
			launch(t, m, c)
			if pids := m.pids(t, c.ID); len(pids) < 2 {
				t.Errorf("%s: processes %v", c.ID, pids)
			}
			if !strings.HasPrefix(m.groupPath(c.ID), m.groupPath(root.ID)+"/mesos/") {
				t.Errorf("cgroup %s", m.groupPath(c.ID))
			}
		}
		file := map[cgroups.Version]string{cgroups.V1: "memory.limit_in_bytes", cgroups.V2: "memory.max"}[m.tree.Version()]
		for id, limited := range map[containerizer.ID]bool{shared.ID: false, own.ID: true} {
			limit, err := m.tree.Group(m.groupPath(id)).ReadUint("memory", file)
			if got := err == nil && limit == 64<<20; got != limited {
				t.Errorf("%s: limit %d, error %v", id, limit, err)
			}
		}
		usage, err := m.Usage(deadline(t), own.ID)
		if err != nil || usage.GetMemLimitBytes() != 64<<20 || usage.MemTotalBytes == nil {
			t.Errorf("usage %v, error %v", usage, err)
		}
		usage, err = m.Usage(deadline(t), shared.ID)
		if err != nil || usage.MemLimitBytes != nil || usage.MemTotalBytes == nil {
			t.Errorf("usage %v, error %v", usage, err)
		}
	})
}

// What was nested, standalone, or had ended is there again after a restart; debug
// containers are not.
func TestNestedRecovery(t *testing.T) {
	each(t, func(t *testing.T, cfg Config) {
		root := sh(t, cfg, "root", "sleep 600")
		alive := below(root, "alive", "sleep 600")
		deep := below(alive, "deep", "while ! test -e go; do sleep 0.01; done; exit 5")
		ended := below(root, "ended", "exit 3")
		debug := below(alive, "debug", "sleep 600")
		debug.Class = containerizer.ClassDebug
		standalone := sh(t, cfg, "standalone", "sleep 600")
		standalone.Standalone, standalone.CheckpointDir = true, ""
		lone := below(standalone, "lone", "sleep 600")
		killedAgent(t, cfg, root, alive, deep, ended, debug, standalone, lone)
		time.Sleep(20 * time.Millisecond) // for ended to end

		m := agent(t, cfg)
		orphans, err := m.Recover(deadline(t), []containerizer.Recovered{{Config: root}})
		if err != nil || len(orphans) > 0 {
			t.Fatalf("orphans %v, error %v", orphans, err)
		}
		if end := wait(t, m, ended.ID); end.Status == nil || end.Status.ExitStatus() != 3 {
			t.Errorf("ended %+v", end)
		}
		if end := wait(t, m, debug.ID); end.Status == nil || end.Status.Signal() != syscall.SIGKILL {
			t.Errorf("debug container ended %+v", end)
		}
		for _, id := range []containerizer.ID{root.ID, alive.ID, deep.ID, standalone.ID, lone.ID} {
			if _, err := m.Status(deadline(t), id); err != nil {
				t.Errorf("%s: %v", id, err)
			}
		}
		if err := os.WriteFile(filepath.Join(deep.Sandbox, "go"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if end := wait(t, m, deep.ID); end.Status == nil || end.Status.ExitStatus() != 5 {
			t.Errorf("ended %+v", end)
		}

		// Once more: how they ended is known still.
		m2 := agent(t, cfg)
		if _, err := m2.Recover(deadline(t), []containerizer.Recovered{{Config: root}}); err != nil {
			t.Fatal(err)
		}
		if end := wait(t, m2, deep.ID); end.Status == nil || end.Status.ExitStatus() != 5 {
			t.Errorf("ended %+v", end)
		}
		// A debug container finds its parent's environment, which nobody kept.
		again := below(alive, "again", "echo $NAME")
		again.Class, again.Environment = containerizer.ClassDebug, nil
		launch(t, m2, again)
		if got, _ := all(t, attachOutput(t, m2, again.ID)); got != "alive\n" {
			t.Errorf("it said %q", got)
		}
		for _, id := range []containerizer.ID{standalone.ID, root.ID} {
			if err := m2.Destroy(deadline(t), id); err != nil {
				t.Error(err)
			}
			wait(t, m, id) // it watches them, too
			if err := m2.Remove(deadline(t), id); err != nil {
				t.Error(err)
			}
		}
	})
}

// Orphans take what is nested in them along.
func TestNestedOrphans(t *testing.T) {
	each(t, func(t *testing.T, cfg Config) {
		root := sh(t, cfg, "root", "sleep 600")
		child := below(root, "child", "sleep 600")
		killedAgent(t, cfg, root, child, below(child, "deep", "(setsid sleep 600 &); sleep 600"))
		m := agent(t, cfg)
		if orphans, err := m.Recover(deadline(t), nil); err != nil || len(orphans) != 1 {
			t.Errorf("orphans %v, error %v", orphans, err)
		}
	})
}

// Of what is nested in a container that lives on, at any depth, what only its traces tell of is
// destroyed, and nothing else.
func TestNestedStrays(t *testing.T) {
	for name, damage := range map[string]func(dir string) error{
		"the record is damaged": func(dir string) error { return os.WriteFile(filepath.Join(dir, recordFile), []byte("{"), 0o600) },
		"the record is gone":    func(dir string) error { return os.Remove(filepath.Join(dir, recordFile)) },
		"the directory is gone": os.RemoveAll,
	} {
		t.Run(name, func(t *testing.T) {
			privileged(t, func(t *testing.T, cfg Config) {
				root := sh(t, cfg, "root", "sleep 600")
				stays := below(root, "stays", "while ! test -e go; do sleep 0.01; done; exit 5")
				lost := below(root, "lost", "(setsid sleep 600 &); sleep 600")
				lostDeep := below(stays, "lost", "sleep 600")
				killedAgent(t, cfg, root, stays, lost, below(lost, "deep", "sleep 600"), lostDeep)
				nested := filepath.Join(root.CheckpointDir, nestedDir)
				if err := errors.Join(damage(filepath.Join(nested, "lost")), damage(filepath.Join(nested, "stays", nestedDir, "lost"))); err != nil {
					t.Fatal(err)
				}
				m := agent(t, cfg)
				if orphans, err := m.Recover(deadline(t), []containerizer.Recovered{{Config: root}}); err != nil || len(orphans) > 0 {
					t.Fatalf("orphans %v, error %v", orphans, err)
				}
				for _, id := range []containerizer.ID{lost.ID, lost.ID.Child("deep"), lostDeep.ID} {
					if m.tree.Group(m.groupPath(id)).Exists() {
						t.Errorf("the cgroup of %s is left", id)
					}
					if _, err := m.Status(deadline(t), id); !errors.Is(err, containerizer.ErrUnknown) {
						t.Errorf("%s: %v", id, err)
					}
				}
				launch(t, m, below(root, "lost", "true")) // its name is free
				if err := os.WriteFile(filepath.Join(stays.Sandbox, "go"), nil, 0o644); err != nil {
					t.Fatal(err)
				}
				if end := wait(t, m, stays.ID); end.Status == nil || end.Status.ExitStatus() != 5 {
					t.Errorf("ended %+v", end)
				}
				if _, err := m.Status(deadline(t), root.ID); err != nil {
					t.Error(err)
				}
				if err := m.Destroy(deadline(t), root.ID); err != nil {
					t.Error(err)
				}
			})
		})
	}
}
