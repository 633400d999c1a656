package mesos

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/process"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/runtime/oci"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/spawn"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// An agent that is killed at any moment of launching and destroying leaves
// nothing that its next life doesn't find.
func TestKilledAtAnyMoment(t *testing.T) {
	rounds := 12
	if testing.Short() {
		rounds = 3
	}
	each(t, func(t *testing.T, cfg Config) {
		for _, checkpoint := range []bool{true, false} {
			c := sh(t, cfg, "c", "(setsid sleep 60 &); sleep 60")
			if !checkpoint {
				c.CheckpointDir = ""
			}
			for round := range rounds {
				c.ID = containerizer.ID("round-" + strconv.Itoa(round))
				nested := round%2 == 0
				cmd := startAgent(t, orders{Config: cfg, Containers: []containerizer.Config{c}, Loop: true, Nested: nested})
				time.Sleep(rand.N(120 * time.Millisecond))
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
				_ = cmd.Wait()
				waitForStages(t, cfg)
				m := agent(t, cfg)
				if _, err := m.Recover(deadline(t), nil); err != nil {
					t.Fatal(err)
				}
				leakCheck(t, m)
				if t.Failed() {
					t.Fatalf("round %d", round)
				}
			}
		}
	})
}

// waitForStages waits for stages that the dead agent had not yet permitted to
// go on: they end by themselves, without a trace, and within moments.
func waitForStages(t *testing.T, cfg Config) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		all, err := process.Take()
		if err != nil {
			t.Fatal(err)
		}
		waiting := false
		for pid, s := range all {
			line, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
			if err == nil && s.Parent != os.Getpid() && strings.HasPrefix(string(line), cfg.Binary+"\x00launch\x00round-") && len(all.Tree(pid)) == 1 {
				waiting = true
			}
		}
		if !waiting {
			return
		}
	}
}

// A destroy overtakes a launch.
func TestDestroyDuringLaunch(t *testing.T) {
	each(t, func(t *testing.T, cfg Config) {
		m := agent(t, cfg)
		fetching := make(chan struct{})
		m.fetcher = slowFetcher{fetching}
		c := sh(t, cfg, "c1", "sleep 60")
		c.Command.Uris = []*mesos.CommandInfo_URI{{Value: new("http://slow/f")}}
		launched := make(chan error, 1)
		go func() {
			_, err := m.Launch(context.Background(), c)
			launched <- err
		}()
		<-fetching
		if err := m.Destroy(deadline(t), c.ID); err != nil {
			t.Error(err)
		}
		if err := <-launched; !errors.Is(err, containerizer.ErrDestroyed) {
			t.Errorf("launch: %v", err)
		}
		if _, err := m.Wait(deadline(t), c.ID); !errors.Is(err, containerizer.ErrUnknown) {
			t.Errorf("wait: %v", err)
		}

		// At a random moment of what follows the fetching, too.
		for i := range 10 {
			c := sh(t, cfg, "d"+strconv.Itoa(i), "sleep 60")
			go func() {
				_, err := m.Launch(context.Background(), c)
				launched <- err
			}()
			for errors.Is(lookup(m, c.ID), containerizer.ErrUnknown) {
				time.Sleep(100 * time.Microsecond)
			}
			time.Sleep(rand.N(20 * time.Millisecond))
			if err := m.Destroy(deadline(t), c.ID); err != nil && !errors.Is(err, containerizer.ErrUnknown) {
				t.Error(err)
			}
			if err := <-launched; err != nil && !errors.Is(err, containerizer.ErrDestroyed) {
				t.Errorf("launch: %v", err)
			}
		}
	})
}

// An OCI runtime that hangs doesn't keep its container from being destroyed.
func TestRootDestroyHangingRuntime(t *testing.T) {
	cfg := config(t, variant{"", rooted})
	cfg.Runtime = oci.Name
	cfg.OCIRuntime = filepath.Join(t.TempDir(), "hang")
	script := "#!/bin/sh\ncase \"$*\" in *create*) exec sleep 600;; esac\n"
	if err := os.WriteFile(cfg.OCIRuntime, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	m := agent(t, cfg)
	c := sh(t, cfg, "c1", "true")
	launched := make(chan error, 1)
	go func() {
		_, err := m.Launch(context.Background(), c)
		launched <- err
	}()
	time.Sleep(200 * time.Millisecond)
	if err := m.Destroy(deadline(t), c.ID); err != nil {
		t.Error(err)
	}
	if err := <-launched; !errors.Is(err, containerizer.ErrDestroyed) {
		t.Errorf("launch: %v", err)
	}
}

func lookup(m *Containerizer, id containerizer.ID) error {
	_, err := m.find(id)
	return err
}

type slowFetcher struct{ fetching chan struct{} }

func (f slowFetcher) Fetch(ctx context.Context, _ FetchRequest) error {
	close(f.fetching)
	<-ctx.Done()
	return ctx.Err()
}

func TestFetchFails(t *testing.T) {
	each(t, func(t *testing.T, cfg Config) {
		m := agent(t, cfg) // its fetcher fails
		c := sh(t, cfg, "c1", "true")
		c.Command.Uris = []*mesos.CommandInfo_URI{{Value: new("/no/such")}}
		if _, err := m.Launch(deadline(t), c); !errors.Is(err, containerizer.ErrFetch) {
			t.Errorf("error %v", err)
		}
	})
}

// The command that can't be started is named.
func TestStartFails(t *testing.T) {
	each(t, func(t *testing.T, cfg Config) {
		m := agent(t, cfg)
		c := sh(t, cfg, "c1", "")
		c.Command = &mesos.CommandInfo{Shell: new(false), Value: new("/no/such/command"), Arguments: []string{"x"}}
		if _, err := m.Launch(deadline(t), c); err == nil || !strings.Contains(err.Error(), "/no/such/command") {
			t.Errorf("error %v", err)
		}
	})
}

// Somebody who kills the stage ends the container.
func TestStageKilled(t *testing.T) {
	each(t, func(t *testing.T, cfg Config) {
		m := agent(t, cfg)
		c := sh(t, cfg, "c1", "sleep 60 & echo up > up; sleep 60")
		launch(t, m, c)
		waitFor(t, c, "up")
		r, ok, err := recall(m.dir(c, nil))
		if err != nil || !ok {
			t.Fatal(err)
		}
		if err := syscall.Kill(r.Stage.PID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if end := wait(t, m, c.ID); end.Status == nil || end.Status.Signal() != syscall.SIGKILL {
			t.Errorf("ended %+v", end)
		}
	})
}

// node is a process whose mount namespace stands in for that of a Kubernetes
// node, with the work and runtime directories under the same names and a file
// that only it has. The program of the stages is in neither: it is installed.
func node(t *testing.T) (proc, file string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: makes a mount namespace")
	}
	dir := t.TempDir()
	cmd := exec.Command("unshare", "--mount", "sh", "-c", "mount -t tmpfs tmpfs "+dir+" && echo inside > "+dir+"/file && exec sleep 600")
	if err := cmd.Start(); err != nil {
		t.Skipf("needs unshare: %v", err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	proc, file = "/proc/"+strconv.Itoa(cmd.Process.Pid), filepath.Join(dir, "file")
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(proc + "/root" + file); err == nil {
			return proc, file
		}
	}
	t.Fatal("the node didn't come up")
	return "", ""
}

func TestHostMountNamespace(t *testing.T) {
	privileged(t, func(t *testing.T, cfg Config) {
		proc, file := node(t)
		cfg.MountNamespace = proc + "/ns/mnt"
		var err error
		if cfg.Binary, err = spawn.Install("stage", cfg.Binary, filepath.Join(cfg.WorkDir, "bin")); err != nil {
			t.Fatal(err)
		}
		m := agent(t, cfg)
		c := sh(t, cfg, "c1", "cat "+file+"; readlink /proc/$PPID/exe; echo up > up; sleep 60")
		launch(t, m, c)
		waitFor(t, c, "up")
		if out := read(t, c, "stdout"); !strings.HasPrefix(out, "inside\n") {
			t.Errorf("stdout %q", out)
		}
		if _, err := os.Stat(file); err == nil {
			t.Error("the agent sees the node's file")
		}
		// Nothing of the container may hold the agent's own mounts.
		ours, err := os.Readlink("/proc/self/ns/mnt")
		if err != nil {
			t.Fatal(err)
		}
		for _, pid := range m.pids(t, c.ID) {
			threads, _ := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/ns/mnt")
			for _, thread := range threads {
				if theirs, err := os.Readlink(thread); err == nil && theirs == ours {
					t.Errorf("%s is in the agent's mount namespace", thread)
				}
			}
		}
		if err := m.Destroy(deadline(t), c.ID); err != nil {
			t.Error(err)
		}
	})
}

func (m *Containerizer) pids(t *testing.T, id containerizer.ID) []int {
	t.Helper()
	pids, err := m.tree.Group(m.groupPath(id)).Processes()
	if err != nil || len(pids) < 2 {
		t.Fatalf("processes %v, error %v", pids, err)
	}
	return pids
}

// Directories that are not the same on both sides are refused at the start.
func TestHostMountNamespaceMismatch(t *testing.T) {
	cfg := config(t, variants[0])
	proc, file := node(t)
	cfg.MountNamespace = proc + "/ns/mnt"
	cfg.WorkDir = filepath.Dir(file) // covered by a mount in the node
	_, err := New(t.Context(), cfg, logger(t), func(*spawn.Spawner) (Fetcher, error) { return noURIs{}, nil })
	if err == nil || !strings.Contains(err.Error(), "another directory") {
		t.Errorf("error %v", err)
	}
}
