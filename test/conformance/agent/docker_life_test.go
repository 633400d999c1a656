package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// TestDockerCustomExecutor has a framework's own executor in a container of type DOCKER: it runs in its image with
// what Mesos tells executors, is measured as one container with its executor's ID, and outlives the agent.
func TestDockerCustomExecutor(t *testing.T) {
	master, a, registry := dockerAgent(t, "--executor_reregistration_timeout=15secs")
	ref := tool(t, registry, "tool", v1.Config{Env: []string{"FROM=image"}})
	f := testbed.Subscribe(t, master, testbed.FrameworkOptions{Info: testbed.Object{"checkpoint": true}})
	s := testbed.NewSleeper()
	offer := f.Offer()
	task := testbed.Task(offer, "task", "")
	delete(task, "command")
	task["executor"] = testbed.Object{
		"executor_id": testbed.Object{"value": "driver"}, "framework_id": testbed.Object{"value": f.ID},
		"command": testbed.Object{"shell": true, "value": `echo "$(cat /mark) $FROM $MESOS_EXECUTOR_ID $MESOS_FRAMEWORK_ID $MESOS_SLAVE_PID $MESOS_CHECKPOINT $MESOS_SANDBOX"; echo $MINE; ` + s.Command(),
			"environment": testbed.Object{"variables": testbed.List{testbed.Object{"name": "MINE", "value": "theirs"}}}},
		"container": inDocker(ref, "HOST", nil),
		"resources": testbed.List{testbed.Scalar("cpus", 0.2), testbed.Scalar("mem", 64)},
	}
	f.Accept(offer, testbed.Launch(task))
	s.PID(t)
	sandbox := a.Sandbox("driver")
	agent := "slave(1)@" + a.Address
	want := fmt.Sprintf("tool image driver %s %s 1 /mnt/mesos/sandbox\ntheirs\n", f.ID, agent)
	if out := a.ReadFile(filepath.Join(sandbox, "stdout")); out != want {
		t.Errorf("stdout %q, want %q; stderr %q", out, want, a.ReadFile(filepath.Join(sandbox, "stderr")))
	}

	d := &driver{Peer: testbed.NewPeer(t, "executor(1)"), agent: agent,
		id: &mesos.ExecutorID{Value: new("driver")}, framework: &mesos.FrameworkID{Value: &f.ID}}
	d.Send(d.agent, internal+"RegisterExecutorMessage", &messages.RegisterExecutorMessage{FrameworkId: d.framework, ExecutorId: d.id})
	d.Receive(internal+"ExecutorRegisteredMessage", &messages.ExecutorRegisteredMessage{})
	var run messages.RunTaskMessage
	d.Receive(internal+"RunTaskMessage", &run)
	d.report(t, run.GetTask(), mesos.TaskState_TASK_RUNNING)
	f.Follow("task", "TASK_RUNNING")
	measured(t, a, f.ID)

	a.Kill()
	a.Start()
	d.Receive(internal+"ReconnectExecutorMessage", &messages.ReconnectExecutorMessage{})
	d.Send(d.agent, internal+"ReregisterExecutorMessage", &messages.ReregisterExecutorMessage{ExecutorId: d.id, FrameworkId: d.framework})
	d.Receive(internal+"ExecutorReregisteredMessage", &messages.ExecutorReregisteredMessage{})
	measured(t, a, f.ID)
	d.report(t, run.GetTask(), mesos.TaskState_TASK_FINISHED)
	f.Follow("task", "TASK_FINISHED")
	f.Call("TEARDOWN", nil)
	s.AwaitEnd(t)
}

// measured checks what is told of the only container: that of a driver with 0.2+0.1 cpus and 64+32 MB.
func measured(t *testing.T, a *testbed.Agent, framework string) {
	t.Helper()
	testbed.Eventually(t, "the container to be measured", func() error {
		all := a.Get("/monitor/statistics").List()
		if len(all) != 1 || all[0].At("executor_id").Text() != "driver" || all[0].At("framework_id").Text() != framework {
			return fmt.Errorf("%v", all)
		}
		s := all[0].At("statistics")
		// The executor has its own share above what its tasks have.
		if got := s.At("mem_limit_bytes").Number(); got != 96<<20 {
			return fmt.Errorf("limit of %v bytes", got)
		}
		if got := s.At("cpus_soft_limit").Number(); got < 0.29 || got > 0.31 {
			return fmt.Errorf("request of %v cpus", got)
		}
		for _, name := range []string{"timestamp", "mem_rss_bytes", "mem_total_bytes"} {
			if s.At(name).Number() <= 0 {
				return fmt.Errorf("%s is missing in %v", name, s)
			}
		}
		return nil
	})
}

// TestDockerOrphan has an agent that has lost the checkpoints of a container that runs: it ends it, and leaves
// nothing of it.
func TestDockerOrphan(t *testing.T) {
	master, a, registry := dockerAgent(t)
	ref := tool(t, registry, "tool", v1.Config{})
	f := testbed.Subscribe(t, master, testbed.FrameworkOptions{Info: testbed.Object{"checkpoint": true}})
	defer f.Call("TEARDOWN", nil)
	s := testbed.NewSleeper()
	offer := f.Offer()
	task := testbed.Task(offer, "task", s.Command())
	task["container"] = inDocker(ref, "HOST", nil)
	f.Accept(offer, testbed.Launch(task))
	f.Follow("task", "TASK_STARTING", "TASK_RUNNING")
	s.PID(t)
	a.Kill()
	if err := os.RemoveAll(filepath.Join(a.WorkDir, "meta/slaves", offer.At("agent_id", "value").Text(), "frameworks")); err != nil {
		t.Fatal(err)
	}
	a.Start()
	s.AwaitEnd(t)
	ended := next(f, "task", func(u testbed.Value) bool { return u.At("state").Text() != "TASK_RUNNING" })
	if state := ended.At("state").Text(); state != "TASK_DROPPED" {
		t.Errorf("%v", ended)
	}
	noRootsLeft(t, a)
	testbed.Eventually(t, "its files to go", func() error {
		left, err := os.ReadDir(filepath.Join(a.Dir, "run/docker"))
		if err != nil || len(left) > 0 {
			return fmt.Errorf("there are %v, error %w", left, err)
		}
		return nil
	})
}

// TestDockerDNS: --default_container_dns is for containers on the bridge that say nothing themselves.
func TestDockerDNS(t *testing.T) {
	if !ownNetwork(t) {
		return
	}
	master, a, registry := dockerAgent(t, `--default_container_dns={"docker":[{"network_mode":"BRIDGE","dns":{"nameservers":["192.0.2.53","192.0.2.54"],"search":["a.example","b.example"],"options":["timeout:3","rotate"]}}]}`)
	ref := tool(t, registry, "tool", v1.Config{})
	f := testbed.Subscribe(t, master, testbed.FrameworkOptions{})
	defer f.Call("TEARDOWN", nil)
	node, err := os.ReadFile("/etc/resolv.conf")
	if err != nil {
		t.Skipf("a node without name servers: %v", err)
	}
	const theirs = "nameserver 192.0.2.53\nnameserver 192.0.2.54\nsearch a.example b.example\noptions timeout:3 rotate\n"
	own := testbed.Object{"parameters": testbed.List{testbed.Object{"key": "dns", "value": "192.0.2.7"}}}
	for name, tt := range map[string]struct {
		network string
		more    testbed.Object
		has     string
		hasNot  string
	}{
		"BRIDGE":                {network: "BRIDGE", has: theirs},
		"BRIDGE-with-its-own":   {network: "BRIDGE", more: own, has: "nameserver 192.0.2.7\n", hasNot: "192.0.2.53"},
		"HOST-is-as-the-node":   {network: "HOST", hasNot: "192.0.2.53"},
		"HOST-with-its-own-too": {network: "HOST", more: own, has: "nameserver 192.0.2.7\n", hasNot: "192.0.2.53"},
	} {
		offer := f.Offer()
		task := testbed.Task(offer, name, "cat /etc/resolv.conf")
		task["container"] = inDocker(ref, tt.network, tt.more)
		f.Accept(offer, testbed.Launch(task))
		f.Follow(name, "TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED")
		out := a.ReadFile(filepath.Join(a.Sandbox(name), "stdout"))
		if !strings.Contains(out, tt.has) || tt.hasNot != "" && strings.Contains(out, tt.hasNot) {
			t.Errorf("%s: %q, want %q and not %q; the node has %q", name, out, tt.has, tt.hasNot, node)
		}
	}
}
