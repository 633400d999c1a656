package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	namespace = "default"
	cluster   = "demo"
)

// tools are the programs of a user, with the cluster's kubeconfig.
type tools struct {
	t          *testing.T
	kubeconfig string
	bin        string
}

func setUp(t *testing.T) tools {
	t.Helper()
	kubeconfig := os.Getenv("MESOS_E2E_KUBECONFIG")
	if kubeconfig == "" {
		t.Skip("MESOS_E2E_KUBECONFIG is not set: `make e2e` makes a cluster and sets it")
	}
	return tools{t: t, kubeconfig: kubeconfig, bin: os.Getenv("MESOS_E2E_BIN")}
}

func (k tools) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, filepath.Join(k.bin, program), append([]string{"--kubeconfig=" + k.kubeconfig, "--namespace=" + namespace}, args...)...)
	// A context that ends must let mesosctl kill its task.
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	c.WaitDelay = 30 * time.Second
	return c
}

// run returns standard output, and standard error with the error.
func (k tools) run(program string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(k.t.Context(), 2*time.Minute)
	defer cancel()
	var stdout, stderr bytes.Buffer
	c := k.command(ctx, program, args...)
	c.Stdout, c.Stderr = &stdout, &stderr
	if err := c.Run(); err != nil {
		return stdout.String(), fmt.Errorf("%s %s: %w\n%s", program, strings.Join(args, " "), err, stderr.String())
	}
	return stdout.String(), nil
}

func (k tools) must(program string, args ...string) string {
	k.t.Helper()
	out, err := k.run(program, args...)
	if err != nil {
		k.t.Fatal(err)
	}
	return out
}

func (k tools) get(into any, args ...string) {
	k.t.Helper()
	if err := decode(k.must("kubectl", append([]string{"get", "--output=json"}, args...)...), into); err != nil {
		k.t.Fatal(err)
	}
}

func decode(text string, into any) error { return json.Unmarshal([]byte(text), into) }

// eventually tries until ok or the deadline, which is generous: two cores serve everything.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(3 * time.Minute)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("timed out waiting: %s", what)
		}
		time.Sleep(300 * time.Millisecond)
	}
}

type pod struct {
	Metadata struct{ Name, UID string }
	Status   struct {
		PodIP             string
		ContainerStatuses []struct {
			ContainerID  string
			RestartCount int
			Ready        bool
		}
	}
}

func (k tools) pod(role string) (pod, bool) {
	var list struct{ Items []pod }
	k.get(&list, "pods", "--selector=mesos.dev/cluster="+cluster+",mesos.dev/role="+role)
	if len(list.Items) != 1 || len(list.Items[0].Status.ContainerStatuses) == 0 {
		return pod{}, false
	}
	return list.Items[0], true
}

func (k tools) activeAgents() []string {
	out, err := k.run("mesosctl", "agent", "list")
	if err != nil {
		return nil
	}
	var ids []string
	for line := range strings.Lines(out) {
		if f := strings.Fields(line); len(f) > 2 && f[2] == "yes" {
			ids = append(ids, f[0])
		}
	}
	return ids
}

// kubectl shows in columns whether the cluster works, and where.
func TestColumns(t *testing.T) {
	k := setUp(t)
	out := k.must("kubectl", "get", "mesosclusters")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 2 || !regexp.MustCompile(`^NAME +READY +MASTERS +AGENTS `).MatchString(lines[0]) || !regexp.MustCompile(`^demo +True +1/1 +1/1 `).MatchString(lines[1]) {
		t.Errorf("kubectl get mesosclusters:\n%s", out)
	}
}

func TestTaskPrintsToStdout(t *testing.T) {
	k := setUp(t)
	if out := k.must("mesosctl", "task", "run", "--name=hello", "--", "echo", "hello"); out != "hello\n" {
		t.Errorf("stdout %q", out)
	}
}

func TestTaskFailureIsTold(t *testing.T) {
	k := setUp(t)
	_, err := k.run("mesosctl", "task", "run", "--shell", "--", "exit 3")
	if err == nil || !strings.Contains(err.Error(), "TASK_FAILED") || !strings.Contains(err.Error(), "exited with status 3") {
		t.Error(err)
	}
}

// The task is a process of the node, in a cgroup of its own below the agent's, with its limits.
func TestTaskHasItsCgroup(t *testing.T) {
	k := setUp(t)
	script := `cat /proc/self/cgroup; for c in memory cpu; do p=$(sed -n "s/^[0-9]*:\(.*,\)*$c\(,.*\)*://p" /proc/self/cgroup); ` +
		`[ -n "$p" ] && cat /sys/fs/cgroup/$c$p/memory.limit_in_bytes /sys/fs/cgroup/$c$p/cpu.shares 2>/dev/null; done; ` +
		`p=$(sed -n "s/^0:://p" /proc/self/cgroup); cat /sys/fs/cgroup$p/memory.max 2>/dev/null; hostname; true`
	out := k.must("mesosctl", "task", "run", "--cpus=0.5", "--mem=96", "--shell", "--", script)
	t.Log(out)
	if !strings.Contains(out, "/mesos_default_demo_default/") {
		t.Errorf("the task is not below the agent's cgroup:\n%s", out)
	}
	// The executor's own share of 0.1 cpus and 32 MB comes on top, as in Mesos.
	if !strings.Contains(out, strconv.Itoa((96+32)<<20)) {
		t.Errorf("no memory limit of 128 MB in:\n%s", out)
	}
}

// killAgent kills agentd with SIGKILL, found by the cgroup of its container.
func (k tools) killAgent() {
	k.t.Helper()
	p, ok := k.pod("agent")
	if !ok {
		k.t.Fatal("there is not one agent pod")
	}
	_, id, _ := strings.Cut(p.Status.ContainerStatuses[0].ContainerID, "://")
	killed := 0
	processes, err := filepath.Glob("/proc/[0-9]*/cgroup")
	if err != nil {
		k.t.Fatal(err)
	}
	for _, path := range processes {
		groups, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(groups), id) {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			k.t.Fatal(err)
		}
		killed++
	}
	if killed == 0 {
		k.t.Fatalf("no process is in the cgroup of container %s", id)
	}
	k.t.Logf("killed %d process(es) of pod %s", killed, p.Metadata.Name)
}

// survives runs a task that goes on while disturb happens, and checks that it ends as if nothing had.
func (k tools) survives(disturb func()) {
	k.t.Helper()
	before := k.activeAgents()
	if len(before) != 1 {
		k.t.Fatalf("active agents %v", before)
	}
	release := filepath.Join("/tmp", fmt.Sprintf("mesos-e2e-%d", time.Now().UnixNano()))
	ctx, cancel := context.WithTimeout(k.t.Context(), 5*time.Minute)
	defer cancel()
	var stdout bytes.Buffer
	progress := &watched{}
	script := fmt.Sprintf("echo begin $$; until [ -e %s ]; do sleep 0.2; done; rm %s; echo end $$", release, release)
	c := k.command(ctx, "mesosctl", "task", "run", "--name=survivor", "--shell", "--", script)
	c.Stdout, c.Stderr = &stdout, progress
	if err := c.Start(); err != nil {
		k.t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- c.Wait() }()
	eventually(k.t, "the task runs", func() bool { return strings.Contains(progress.String(), "TASK_RUNNING") })
	disturb()
	eventually(k.t, "the agent is active again, under its old ID", func() bool {
		after := k.activeAgents()
		return len(after) == 1 && after[0] == before[0]
	})
	select {
	case err := <-done:
		k.t.Fatalf("the task ended meanwhile: %v\n%s", err, progress)
	default:
	}
	// Only now may the task end; the file is made inside the node, by another task.
	k.must("mesosctl", "task", "run", "--", "touch", release)
	if err := <-done; err != nil {
		k.t.Fatalf("%v\n%s", err, progress)
	}
	k.t.Logf("%s%s", progress, &stdout)
	m := regexp.MustCompile(`^begin (\d+)\nend (\d+)\n$`).FindStringSubmatch(stdout.String())
	if m == nil || m[1] != m[2] {
		k.t.Errorf("stdout %q: not one process from begin to end", &stdout)
	}
	if !strings.Contains(progress.String(), "TASK_FINISHED") {
		k.t.Errorf("no terminal update:\n%s", progress)
	}
}

func TestTaskOutlivesKilledAgent(t *testing.T) {
	k := setUp(t)
	k.survives(func() {
		before, _ := k.pod("agent")
		k.killAgent()
		eventually(t, "the kubelet restarts the container", func() bool {
			after, ok := k.pod("agent")
			return ok && after.Status.ContainerStatuses[0].RestartCount > before.Status.ContainerStatuses[0].RestartCount
		})
	})
}

func TestTaskOutlivesReplacedPod(t *testing.T) {
	k := setUp(t)
	k.survives(func() {
		before, _ := k.pod("agent")
		k.must("kubectl", "delete", "pod", before.Metadata.Name, "--wait=true")
		eventually(t, "the DaemonSet replaces the pod", func() bool {
			after, ok := k.pod("agent")
			return ok && after.Metadata.UID != before.Metadata.UID && after.Status.ContainerStatuses[0].Ready
		})
	})
}

func TestTaskOutlivesRestartedMaster(t *testing.T) {
	k := setUp(t)
	agents := k.activeAgents()
	before, ok := k.pod("master")
	if !ok {
		t.Fatal("there is not one master pod")
	}
	k.must("kubectl", "delete", "pod", before.Metadata.Name, "--wait=true")
	eventually(t, "the agent registers again under its old ID", func() bool {
		after := k.activeAgents()
		return len(after) == 1 && len(agents) == 1 && after[0] == agents[0]
	})
	eventually(t, "the cluster is ready again", func() bool {
		out, err := k.run("kubectl", "get", "mesoscluster", cluster, "--output=jsonpath={.status.conditions[?(@.type==\"Ready\")].status}")
		return err == nil && out == "True"
	})
	if out := k.must("mesosctl", "task", "run", "--", "echo", "again"); out != "again\n" {
		t.Errorf("stdout %q", out)
	}
}

// Nonsense is refused by the API server, with words that say what to write.
func TestNonsenseIsRefused(t *testing.T) {
	k := setUp(t)
	tests := map[string]struct{ patch, want string }{
		"two masters":         {`{"spec":{"masters":{"replicas":2}}}`, "1, 3 or 5"},
		"shrinking a pool":    {`{"spec":{"agentPools":[{"name":"default","resources":{"cpu":"500m","memory":"1Gi","ephemeralStorage":"2Gi","ports":[{"begin":31000,"end":31999}]}}]}}`, "add a pool of another name"},
		"ports the wrong way": {`{"spec":{"agentPools":[{"name":"other","port":5099,"resources":{"cpu":"1","memory":"1Gi","ephemeralStorage":"1Gi","ports":[{"begin":9,"end":8}]}}]}}`, "begin"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := k.run("kubectl", "patch", "mesoscluster", cluster, "--type=merge", "--dry-run=server", "--patch="+test.patch)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("the answer lacks %q: %v", test.want, err)
			}
		})
	}
}
