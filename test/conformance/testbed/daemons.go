package testbed

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Master is a masterd.
type Master struct{ *Process }

// StartMaster starts a masterd with the raft registry of one member, so that it
// remembers across its lives. More flags may be given, the last one wins.
func StartMaster(t testing.TB, flags ...string) *Master {
	t.Helper()
	m := NewMaster(t, flags...)
	m.Start()
	return m
}

// Start begins a life and waits until the master leads.
func (m *Master) Start() {
	m.t.Helper()
	m.Process.Start()
	Eventually(m.t, m.Name+" leads", func() error {
		return m.answers("/state")
	})
}

// SetFlags changes flags for the lives to come; the last value of each wins.
func (p *Process) SetFlags(flags ...string) { p.args = lastWins(append(p.args, flags...)) }

// NewMaster is StartMaster without the start.
func NewMaster(t testing.TB, flags ...string) *Master {
	t.Helper()
	p := newProcess(t, "masterd")
	p.args = lastWins(append([]string{
		"--ip=127.0.0.1", "--port=" + p.Port(), "--hostname=localhost",
		"--work_dir=" + filepath.Join(p.Dir, "work"),
		"--allocation_interval=200ms", // tests wait for offers all the time
	}, flags...))
	p.cleanup(func() {})
	return &Master{p}
}

// Runtime is a way in which the agent starts containers.
type Runtime string

// Runtimes of agentd's --runtime.
const (
	Posix Runtime = "posix"
	OCI   Runtime = "oci"
)

// Runtimes returns those that work here: as root, OCI too if runc is installed.
func Runtimes() []Runtime {
	if _, err := exec.LookPath("runc"); err != nil || os.Geteuid() != 0 {
		return []Runtime{Posix}
	}
	return []Runtime{Posix, OCI}
}

// AgentResources is what agents offer unless a test's flags say otherwise.
const AgentResources = "cpus:4;mem:2048;disk:4096;ports:[31000-32000]"

// Agent is an agentd.
type Agent struct {
	*Process
	// WorkDir is its --work_dir.
	WorkDir string
	// CgroupsRoot is its --cgroups_root.
	CgroupsRoot string
}

// StartAgent starts an agentd. As root it isolates by cgroups/cpu and
// cgroups/mem. When the test ends its executors and tasks do too, and what is left of
// them fails the test.
func StartAgent(t testing.TB, master string, runtime Runtime, flags ...string) *Agent {
	t.Helper()
	a := NewAgent(t, master, runtime, flags...)
	a.Start()
	return a
}

// NewAgent is StartAgent without the start.
func NewAgent(t testing.TB, master string, runtime Runtime, flags ...string) *Agent {
	t.Helper()
	p := newProcess(t, "agentd")
	a := &Agent{Process: p, WorkDir: filepath.Join(p.Dir, "work"), CgroupsRoot: cgroupPrefix(RunDir()) + p.Name}
	launcher, isolation := "posix", "posix/cpu,posix/mem"
	if os.Geteuid() == 0 {
		launcher, isolation = "linux", "cgroups/cpu,cgroups/mem"
	}
	p.args = lastWins(append([]string{
		"--master=" + master, "--ip=127.0.0.1", "--port=" + p.Port(), "--hostname=localhost",
		"--work_dir=" + a.WorkDir, "--runtime_dir=" + filepath.Join(p.Dir, "run"),
		"--cgroups_root=" + a.CgroupsRoot,
		"--runtime=" + string(runtime), "--launcher=" + launcher, "--isolation=" + isolation,
		"--resources=" + AgentResources,
		"--registration_backoff_factor=100ms",
		"--no-systemd_enable_support",
	}, flags...))
	p.cleanup(func() {
		if err := sweepAgent(p.Dir, a.CgroupsRoot); err != nil {
			t.Errorf("sweeping up behind %s: %v", p.Name, err)
		}
	})
	t.Cleanup(a.endInOrder) // before the others
	return a
}

// lastWins drops earlier values of flags that are given again, which Mesos's
// daemons refuse.
func lastWins(args []string) []string {
	last := map[string]int{}
	for i, arg := range args {
		last[flagName(arg)] = i
	}
	var out []string
	for i, arg := range args {
		if last[flagName(arg)] == i {
			out = append(out, arg)
		}
	}
	return out
}

// flagName is the name in "--name=value", "--name" and "--no-name".
func flagName(arg string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
	return strings.TrimPrefix(name, "no-")
}
