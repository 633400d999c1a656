package chaos

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// workload is an agent with a task that must not notice anything.
type workload struct {
	agent     *testbed.Agent
	framework *testbed.Framework
	sleeper   testbed.Sleeper
	agentID   string
	pid       int
}

func startWorkload(c *cluster, masters string) *workload {
	c.t.Helper()
	leader := c.leader()
	w := &workload{agent: testbed.StartAgent(c.t, masters, testbed.Posix), sleeper: testbed.NewSleeper()}
	w.framework = testbed.Subscribe(c.t, leader, testbed.FrameworkOptions{Info: testbed.Object{"checkpoint": true}})
	w.framework.Run("stays", w.sleeper.Command())
	w.framework.Follow("stays", "TASK_STARTING", "TASK_RUNNING")
	w.pid, w.agentID = w.sleeper.PID(c.t), w.agent.Get("/state").At("id").Text()
	return w
}

// check: the agent is with the leader as who it was, and so is the task.
func (w *workload) check(c *cluster) {
	c.t.Helper()
	testbed.Eventually(c.t, "the agent and its task are with the leader", func() error {
		leader := c.leader()
		if got := leader.TryGet("/slaves").At("slaves").Find(w.agentID, "id"); !got.At("active").True() {
			return fmt.Errorf("agent %s: %v", w.agentID, got)
		}
		w.framework.MoveTo(leader)
		return nil
	})
	w.framework.Resubscribe()
	task := c.leader().Get("/tasks").At("tasks").Find("stays", "id")
	if got := task.At("state").Text(); got != "TASK_RUNNING" {
		c.t.Errorf("the task: %v", task)
	}
	if pid := w.sleeper.PID(c.t); pid != w.pid {
		c.t.Errorf("the task has another process: %d, was %d", pid, w.pid)
	}
}

func (c *cluster) addresses() string {
	list := ""
	for _, m := range c.masters {
		list += "," + m.Address
	}
	return list[1:]
}

// TestLeaderIsKilled kills the leader again and again, with SIGKILL.
func TestLeaderIsKilled(t *testing.T) {
	c := newCluster(t, 3)
	w := startWorkload(c, c.addresses())
	c.write()
	var took figures
	for range rounds(3) {
		c.goesOn()
		old := c.leader()
		begin := time.Now()
		old.Kill()
		c.leader(old)
		took = append(took, time.Since(begin))
		old.Process.Start()
		c.awaitVoters(3)
	}
	took.report(t, "kill -9 of the leader", promised)
	c.nothingLost()
	w.check(c)
}

// TestLeaderIsTerminated: a leader that is told to stop hands over.
func TestLeaderIsTerminated(t *testing.T) {
	c := newCluster(t, 3)
	c.write()
	var took figures
	for range rounds(3) {
		c.goesOn()
		old := c.leader()
		begin := time.Now()
		old.Signal(syscall.SIGTERM)
		c.leader(old)
		took = append(took, time.Since(begin))
		if state := old.AwaitEnd(); !state.Success() {
			t.Errorf("it ended by %v", state)
		}
		old.Process.Start()
		c.awaitVoters(3)
	}
	took.report(t, "SIGTERM of the leader", promised/2)
	c.nothingLost()
}

// TestLeaderIsStopped stops the process of the leader, and lets it go on when
// another leads: it follows, and the write that it was in the midst of counts
// once.
func TestLeaderIsStopped(t *testing.T) {
	c := newCluster(t, 3)
	w := startWorkload(c, c.addresses())
	c.write()
	var took figures
	for range rounds(2) {
		c.goesOn()
		old := c.leader()
		begin := time.Now()
		old.Signal(syscall.SIGSTOP)
		c.leader(old)
		took = append(took, time.Since(begin))
		old.Signal(syscall.SIGCONT)
		follows(t, c, old)
	}
	took.report(t, "SIGSTOP of the leader", promised)
	c.nothingLost()
	w.check(c)
}

// follows waits until a master that led sends clients to the leader.
func follows(t *testing.T, c *cluster, old *testbed.Master) {
	t.Helper()
	testbed.Eventually(t, "the old leader redirects to the new", func() error {
		if !old.Running() { // it gave up, and its supervisor starts it again
			old.Process.Start()
		}
		response, err := client.Get(old.URL("/state"))
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if response.StatusCode != 307 {
			return fmt.Errorf("it answers %s", response.Status)
		}
		return nil
	})
}

// TestAllAreKilled: masters, agent and all.
func TestAllAreKilled(t *testing.T) {
	c := newCluster(t, 3)
	w := startWorkload(c, c.addresses())
	c.write()
	var took figures
	for range rounds(1) {
		c.goesOn()
		for _, m := range c.masters {
			m.Kill()
		}
		w.agent.Kill()
		begin := time.Now()
		for _, m := range c.masters {
			m.Launch()
		}
		w.agent.Start()
		c.leader()
		took = append(took, time.Since(begin))
		c.awaitVoters(3)
	}
	took.report(t, "all are killed and started again", 2*promised)
	c.goesOn()
	c.nothingLost()
	w.check(c)
}
