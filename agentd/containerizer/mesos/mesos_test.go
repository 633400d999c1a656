package mesos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/cgroups/cgrouptest"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/namespaces/pid"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/process"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/runtime/oci"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/runtime/posix"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/spawn"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/switchboard"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"

	cgcpu "github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/cgroups/cpu"
	cgmem "github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/cgroups/mem"
)

// variant is one way of running containers; the tests of the contract run on all.
type variant struct {
	name   string
	change func(t testing.TB, c *Config)
}

func rooted(t testing.TB, c *Config) {
	_, root := cgrouptest.Root(t)
	c.Launcher, c.CgroupsHierarchy, c.CgroupsRoot = LauncherLinux, cgrouptest.Hierarchy, root
	c.Isolation = []string{cgcpu.Name, cgmem.Name}
}

var variants = []variant{
	{"unprivileged", func(_ testing.TB, c *Config) { c.Launcher = LauncherPosix }},
	{"Root/posix", rooted},
	{"Root/oci", func(t testing.TB, c *Config) {
		c.Runtime = oci.Name
		if _, err := os.Stat("/usr/sbin/runc"); err != nil {
			t.Skip("needs runc")
		}
		rooted(t, c)
	}},
	{"Root/oci with a PID namespace", func(t testing.TB, c *Config) {
		c.Runtime = oci.Name
		if _, err := os.Stat("/usr/sbin/runc"); err != nil {
			t.Skip("needs runc")
		}
		rooted(t, c)
		c.Isolation = append(c.Isolation, pid.Name)
	}},
}

// each runs a test on all variants.
func each(t *testing.T, test func(t *testing.T, cfg Config)) {
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) { test(t, config(t, v)) })
	}
}

func config(t testing.TB, v variant) Config {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cfg := DefaultConfig()
	cfg.WorkDir, cfg.RuntimeDir, cfg.Binary = t.TempDir(), t.TempDir(), exe
	cfg.Runtime = posix.Name
	cfg.DestroyTimeout = 10 * time.Second
	v.change(t, &cfg)
	return cfg
}

type noURIs struct{ err error }

func (f noURIs) Fetch(context.Context, FetchRequest) error { return f.err }

func logger(t testing.TB) logr.Logger {
	if _, ok := t.(*testing.B); ok {
		return logr.Discard()
	}
	return funcr.New(func(_, args string) { t.Log(args) }, funcr.Options{Verbosity: 1})
}

// agent is a containerizer that can be thrown away, as if its process was killed.
func agent(t testing.TB, cfg Config) *Containerizer {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	log := logger(t)
	if test, ok := t.(*testing.T); ok {
		ended := false
		test.Cleanup(func() { ended = true })
		log = funcr.New(func(_, args string) {
			if !ended {
				t.Log(args)
			}
		}, funcr.Options{Verbosity: 1})
	}
	m, err := New(ctx, cfg, log, func(*spawn.Spawner) (Fetcher, error) { return noURIs{errors.New("no such file")}, nil })
	if err != nil {
		t.Fatal(err)
	}
	held := descriptors()
	t.Cleanup(func() {
		leakCheck(t, m)
		heldCheck(t, m, held)
	})
	return m
}

// descriptors counts the open files of this process by kind. Those by which
// switchboards are watched are left out: that of a debug container waits for somebody to
// come for its output, for minutes.
func descriptors() map[string]int {
	out := map[string]int{}
	links, _ := filepath.Glob("/proc/self/fd/*") // the pattern is well formed
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && !ofSwitchboard(filepath.Base(link)) {
			if kind, _, ok := strings.Cut(target, ":["); ok && kind != "anon_inode" {
				target = kind // "socket", "pipe", "mnt"
			}
			out[target]++
		}
	}
	return out
}

// ofSwitchboard says whether a descriptor is that of a switchboard's process.
func ofSwitchboard(fd string) bool {
	info, _ := os.ReadFile("/proc/self/fdinfo/" + fd) // it may be closed by now
	_, rest, _ := strings.Cut(string(info), "\nPid:")
	pid, _, _ := strings.Cut(strings.TrimSpace(rest), "\n")
	line, _ := os.ReadFile("/proc/" + pid + "/cmdline") // nor is there one of most
	return pid != "" && strings.Contains(string(line), switchboard.Name)
}

// heldCheck fails the test if its containers, which have ended, still have
// descriptors of the agent: of processes, events, namespaces, files of their sandboxes.
func heldCheck(t testing.TB, m *Containerizer, before map[string]int) {
	t.Helper()
	ids, _ := m.Containers(context.Background()) // it never fails
	for _, id := range ids {
		_ = m.Remove(context.Background(), id) // those below another go with it
	}
	var more []string
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		more = nil
		for kind, n := range descriptors() {
			// The runtime's poller comes with its first use.
			if was := before[kind]; n > was && !strings.Contains(kind, "[event") {
				more = append(more, fmt.Sprintf("%d of %s, before %d", n, kind, was))
			}
		}
		if len(more) == 0 {
			return
		}
	}
	t.Errorf("descriptors are left: %v", more)
}

// leakCheck destroys all and looks for what is left.
func leakCheck(t testing.TB, m *Containerizer) {
	t.Helper()
	ids, err := m.Containers(context.Background())
	if err != nil {
		t.Error(err)
	}
	for _, id := range ids {
		if err := m.Destroy(deadline(t), id); err != nil {
			t.Errorf("destroying %s: %v", id, err)
		}
	}
	entries, err := os.ReadDir(m.index())
	if err != nil || len(entries) > 0 {
		t.Errorf("the list has %v, error %v", entries, err)
	}
	entries, err = os.ReadDir(m.ociState())
	if err != nil || len(entries) > 0 {
		t.Errorf("the runtime keeps %v, error %v", entries, err)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil || strings.Contains(string(mounts), m.cfg.WorkDir) || strings.Contains(string(mounts), m.cfg.RuntimeDir) {
		t.Errorf("mounts are left, error %v:\n%s", err, mounts)
	}
	all, err := process.Take()
	if err != nil {
		t.Error(err)
	}
	for pid := range all {
		cwd, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/cwd")
		if err == nil && strings.HasPrefix(cwd, m.cfg.WorkDir) {
			t.Errorf("process %d is left in %s", pid, cwd)
		}
	}
}

func deadline(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// sh describes a container that runs a script.
func sh(t testing.TB, cfg Config, id, script string) containerizer.Config {
	t.Helper()
	sandbox := filepath.Join(cfg.WorkDir, "sandboxes", id)
	if err := os.MkdirAll(sandbox, 0o755); err != nil {
		t.Fatal(err)
	}
	return containerizer.Config{
		ID:      containerizer.ID(id),
		Command: &mesos.CommandInfo{Shell: new(true), Value: new(script)},
		Resources: []*mesos.Resource{
			{Name: new("cpus"), Type: mesos.Value_SCALAR.Enum(), Scalar: &mesos.Value_Scalar{Value: new(0.5)}},
			{Name: new("mem"), Type: mesos.Value_SCALAR.Enum(), Scalar: &mesos.Value_Scalar{Value: new(64.0)}},
		},
		Sandbox:       sandbox,
		Environment:   map[string]string{"GREETING": "hello"},
		CheckpointDir: filepath.Join(cfg.WorkDir, "meta", id),
	}
}

func launch(t testing.TB, m *Containerizer, c containerizer.Config) containerizer.Started {
	t.Helper()
	s, err := m.Launch(deadline(t), c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func wait(t testing.TB, m *Containerizer, id containerizer.ID) containerizer.Termination {
	t.Helper()
	end, err := m.Wait(deadline(t), id)
	if err != nil {
		t.Fatal(err)
	}
	return end
}

func read(t testing.TB, c containerizer.Config, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(c.Sandbox, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// waitFor waits for a file in the sandbox to have contents: for long, since an emulated
// machine takes ten seconds to run out of memory.
func waitFor(t testing.TB, c containerizer.Config, name string) string {
	t.Helper()
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if data, err := os.ReadFile(filepath.Join(c.Sandbox, name)); err == nil && strings.HasSuffix(string(data), "\n") {
			return string(data)
		}
	}
	t.Fatalf("%s didn't get contents", name)
	return ""
}

func TestRuns(t *testing.T) {
	each(t, func(t *testing.T, cfg Config) {
		m := agent(t, cfg)
		c := sh(t, cfg, "c1", `echo "$GREETING from $(pwd) $MESOS_SANDBOX"; echo oops >&2; exit 3`)
		started := launch(t, m, c)
		end := wait(t, m, c.ID)
		if started.PID == 0 || end.Status == nil || end.Status.ExitStatus() != 3 || len(end.Reasons) > 0 || end.Message != "" {
			t.Errorf("started %+v, ended %+v", started, end)
		}
		if out, want := read(t, c, "stdout"), "hello from "+c.Sandbox+" "+c.Sandbox+"\n"; out != want {
			t.Errorf("stdout %q, want %q", out, want)
		}
		if out := read(t, c, "stderr"); out != "oops\n" {
			t.Errorf("stderr %q", out)
		}
		if _, err := m.Launch(deadline(t), c); !errors.Is(err, containerizer.ErrExists) {
			t.Errorf("launched again: %v", err)
		}
		if err := m.Destroy(deadline(t), c.ID); err != nil {
			t.Errorf("destroying what has ended: %v", err)
		}
		if err := m.Remove(deadline(t), c.ID); err != nil {
			t.Error(err)
		}
		if _, err := m.Wait(deadline(t), c.ID); !errors.Is(err, containerizer.ErrUnknown) {
			t.Errorf("waiting for what was removed: %v", err)
		}
	})
}

func TestDestroy(t *testing.T) {
	each(t, func(t *testing.T, cfg Config) {
		m := agent(t, cfg)
		c := sh(t, cfg, "c1", `(setsid sh -c 'trap "" TERM; sleep 60 & sleep 60' &); echo up > up; sleep 60`)
		launch(t, m, c)
		waitFor(t, c, "up")
		if err := m.Remove(deadline(t), c.ID); err == nil {
			t.Error("a running container was removed")
		}
		if err := m.Destroy(deadline(t), c.ID); err != nil {
			t.Fatal(err)
		}
		if end := wait(t, m, c.ID); end.Status == nil || !end.Status.Signaled() || end.Status.Signal() != syscall.SIGKILL {
			t.Errorf("ended %+v", end)
		}
		if err := m.Destroy(deadline(t), "other"); !errors.Is(err, containerizer.ErrUnknown) {
			t.Errorf("destroying the unknown: %v", err)
		}
	})
}

// What the first process leaves behind ends with it.
func TestEndOfFirstProcess(t *testing.T) {
	each(t, func(t *testing.T, cfg Config) {
		m := agent(t, cfg)
		c := sh(t, cfg, "c1", `(setsid sleep 60 &); sleep 0.05`)
		launch(t, m, c)
		if end := wait(t, m, c.ID); end.Status == nil || end.Status.ExitStatus() != 0 {
			t.Errorf("ended %+v", end)
		} // and the leak check
	})
}

func TestSignal(t *testing.T) {
	each(t, func(t *testing.T, cfg Config) {
		m := agent(t, cfg)
		c := sh(t, cfg, "c1", `trap 'exit 7' USR1; echo up > up; while :; do sleep 0.01; done`)
		launch(t, m, c)
		waitFor(t, c, "up")
		if err := m.Kill(deadline(t), c.ID, syscall.SIGUSR1); err != nil {
			t.Fatal(err)
		}
		if end := wait(t, m, c.ID); end.Status == nil || end.Status.ExitStatus() != 7 {
			t.Errorf("ended %+v", end)
		}
	})
}

// A container outlives its agent; the next one waits for it, measures it, and
// gets its exit status, also if it ended meanwhile.
func TestRecover(t *testing.T) {
	each(t, func(t *testing.T, cfg Config) {
		running := sh(t, cfg, "running", `echo pid $$ > pid; while ! test -e stop; do sleep 0.01; done; exit 5`)
		ended := sh(t, cfg, "ended", `while ! test -e stop; do sleep 0.01; done; exit 6`)
		unknown := sh(t, cfg, "unknown", `sleep 60`)
		forgetful := sh(t, cfg, "forgetful", `sleep 60`)
		forgetful.CheckpointDir = ""
		killedAgent(t, cfg, running, ended, unknown, forgetful)
		stop(t, ended)
		waitForStatus(t, ended)

		m := agent(t, cfg)
		orphans, err := m.Recover(deadline(t), []containerizer.Recovered{{Config: running}, {Config: ended}})
		if err != nil {
			t.Fatal(err)
		}
		if len(orphans) != 2 || orphans[0] != "forgetful" || orphans[1] != "unknown" {
			t.Errorf("orphans %v", orphans)
		}
		if end := wait(t, m, ended.ID); end.Status == nil || end.Status.ExitStatus() != 6 {
			t.Errorf("ended meanwhile: %+v", end)
		}
		status, err := m.Status(deadline(t), running.ID)
		if err != nil || "pid "+strconv.Itoa(int(status.GetExecutorPid()))+"\n" != read(t, running, "pid") && !slices.Contains(cfg.Isolation, pid.Name) {
			t.Errorf("status %v, error %v", status, err)
		}
		if u, err := m.Usage(deadline(t), running.ID); err != nil || u.GetMemRssBytes() == 0 || u.GetTimestamp() == 0 {
			t.Errorf("usage %v, error %v", u, err)
		}
		stop(t, running)
		if end := wait(t, m, running.ID); end.Status == nil || end.Status.ExitStatus() != 5 {
			t.Errorf("ended later: %+v", end)
		}
	})
}

// A container that is recovered can be destroyed.
func TestDestroyRecovered(t *testing.T) {
	each(t, func(t *testing.T, cfg Config) {
		c := sh(t, cfg, "c1", `(setsid sleep 60 &); sleep 60`)
		killedAgent(t, cfg, c)
		m := agent(t, cfg)
		if orphans, err := m.Recover(deadline(t), []containerizer.Recovered{{Config: c}}); err != nil || len(orphans) > 0 {
			t.Fatalf("orphans %v, error %v", orphans, err)
		}
		if err := m.Destroy(deadline(t), c.ID); err != nil {
			t.Fatal(err)
		}
		if end := wait(t, m, c.ID); end.Status == nil || !end.Status.Signaled() {
			t.Errorf("ended %+v", end)
		}
	})
}

// Containers of an agent that the machine's boot, or a bad disk, made
// unrecognizable have ended.
func TestRecoverStrange(t *testing.T) {
	each(t, func(t *testing.T, cfg Config) {
		var known []containerizer.Recovered
		for id, text := range map[string]string{
			"never":    "",
			"garbage":  "{{{",
			"rebooted": `{"id":"rebooted","runtime":"posix","boot":"another","stage":{"pid":1,"start":0},"pid":1}`,
			"reused":   `{"id":"reused","runtime":"posix","boot":"BOOT","stage":{"pid":1,"start":12345678901},"pid":1}`,
			"older":    `{"id":"older","runtime":"of another version","boot":"BOOT","stage":{"pid":1,"start":12345678901},"pid":1}`,
		} {
			c := sh(t, cfg, id, "true")
			boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
			if err != nil {
				t.Fatal(err)
			}
			if err := os.MkdirAll(c.CheckpointDir, 0o700); err != nil {
				t.Fatal(err)
			}
			if text != "" {
				text = strings.ReplaceAll(text, "BOOT", strings.TrimSpace(string(boot)))
				if err := os.WriteFile(filepath.Join(c.CheckpointDir, recordFile), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			known = append(known, containerizer.Recovered{Config: c})
		}
		m := agent(t, cfg)
		if orphans, err := m.Recover(deadline(t), known); err != nil || len(orphans) > 0 {
			t.Fatalf("orphans %v, error %v", orphans, err)
		}
		for _, k := range known {
			if end := wait(t, m, k.Config.ID); end.Status == nil || end.Status.Signal() != syscall.SIGKILL {
				t.Errorf("%s ended %+v", k.Config.ID, end)
			}
		}
	})
}

func stop(t *testing.T, c containerizer.Config) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(c.Sandbox, "stop"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
}

func waitForStatus(t *testing.T, c containerizer.Config) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); exitStatus(c.CheckpointDir) == nil; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("no exit status")
		}
	}
}
