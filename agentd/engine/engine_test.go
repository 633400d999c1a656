package engine

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/engine/enginetest"
	"github.com/mesos-operator/mesos-operator/agentd/state"
	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/executor"
)

func TestTaskRunsAndFinishes(t *testing.T) {
	workDir, master, containers := t.TempDir(), enginetest.NewMaster(t), enginetest.NewContainers()
	a := startAgent(t, workDir, master, containers)
	enginetest.Expect[*messages.RegisterSlaveMessage](master)
	enginetest.Expect[*messages.UpdateSlaveMessage](master)
	master.Send(runTask("t1"))

	stream := a.subscribe("t1", &executor.Call_Subscribe{})
	subscribed := event(t, stream, executor.Event_SUBSCRIBED).GetSubscribed()
	if got := subscribed.GetAgentInfo().GetId().GetValue(); got != "m-S0" {
		t.Errorf("subscribed with agent %q", got)
	}
	id := containerizer.IDOf(subscribed.GetContainerId())
	checkLaunch(t, workDir, containers, id)
	event(t, stream, executor.Event_LAUNCH)

	a.report("t1", mesos.TaskState_TASK_RUNNING, 1)
	running := master.Update(mesos.TaskState_TASK_RUNNING)
	if got := running.GetStatus().GetContainerStatus(); got.GetExecutorPid() != 42 ||
		got.GetNetworkInfos()[0].GetIpAddresses()[0].GetIpAddress() != "127.0.0.1" {
		t.Errorf("container status %v", got)
	}
	event(t, stream, executor.Event_ACKNOWLEDGED)
	master.Acknowledge(running)
	a.report("t1", mesos.TaskState_TASK_FINISHED, 2)
	finished := master.Update(mesos.TaskState_TASK_FINISHED)
	if err := containers.End(id, containerizer.Termination{Status: new(syscall.WaitStatus(0))}); err != nil {
		t.Fatal(err)
	}
	master.Acknowledge(finished)
	eventually(t, "the framework is over", func() error {
		v, err := a.View(t.Context())
		if err != nil || len(v.Frameworks) > 0 || len(v.Completed) != 1 {
			return errors.New("it isn't")
		}
		return nil
	})
	eventually(t, "the run is marked", exactlyOne(
		filepath.Join(workDir, "meta/slaves/m-S0/frameworks/m-0000/executors/t1/runs/*-*/completed")))
}

func checkLaunch(t *testing.T, workDir string, containers *enginetest.Containers, id containerizer.ID) {
	t.Helper()
	var c containerizer.Config
	eventually(t, "the container is launched", func() (err error) {
		c, err = containers.Config(id)
		return err
	})
	env := c.Environment
	for name, want := range map[string]string{
		"MESOS_FRAMEWORK_ID": "m-0000", "MESOS_EXECUTOR_ID": "t1", "MESOS_SLAVE_ID": "m-S0", "MESOS_CHECKPOINT": "1",
		"MESOS_DIRECTORY": c.Sandbox, "GREETING": "hello",
	} {
		if env[name] != want {
			t.Errorf("%s=%q, want %q", name, env[name], want)
		}
	}
	info, err := os.Stat(c.Sandbox)
	if err != nil || info.Mode().Perm() != sandboxMode {
		t.Errorf("sandbox: %v %v", info, err)
	}
	latest := filepath.Join(workDir, "slaves/m-S0/frameworks/m-0000/executors/t1/runs/latest")
	if target, err := os.Readlink(latest); err != nil || target != id.String() {
		t.Errorf("latest -> %q, %v", target, err)
	}
}

// TestTaskOutlivesAgent ends the engine without warning while a task runs, and
// starts another one on what is on the disk.
func TestTaskOutlivesAgent(t *testing.T) {
	workDir, master, containers := t.TempDir(), enginetest.NewMaster(t), enginetest.NewContainers()
	a := startAgent(t, workDir, master, containers)
	enginetest.Expect[*messages.UpdateSlaveMessage](master)
	master.Send(runTask("t1"))
	stream := a.subscribe("t1", &executor.Call_Subscribe{})
	launched := event(t, stream, executor.Event_LAUNCH).GetLaunch().GetTask()
	a.report("t1", mesos.TaskState_TASK_RUNNING, 1)
	master.Update(mesos.TaskState_TASK_RUNNING) // not acknowledged
	if err := a.stop(); err != nil {
		t.Fatal(err)
	}

	a = startAgent(t, workDir, master, containers)
	stream = a.subscribe("t1", &executor.Call_Subscribe{
		UnacknowledgedTasks: []*mesos.TaskInfo{launched},
		UnacknowledgedUpdates: []*executor.Call_Update{
			{Status: status("t1", mesos.TaskState_TASK_RUNNING, 1)}, // the agent has it already
			{Status: status("t1", mesos.TaskState_TASK_FINISHED, 2)},
		},
	})
	event(t, stream, executor.Event_SUBSCRIBED)
	again := enginetest.Expect[*messages.ReregisterSlaveMessage](master)
	if got := again.GetSlave().GetId().GetValue(); got != "m-S0" {
		t.Errorf("reregistered as %q", got)
	}
	if len(again.GetTasks()) != 1 || again.GetTasks()[0].GetState() != mesos.TaskState_TASK_FINISHED {
		t.Errorf("reregistered with %v", again.GetTasks())
	}
	if known := containers.Recovered(); len(known) != 1 || known[0].Config.CheckpointDir == "" {
		t.Errorf("the containerizer was told of %v", known)
	}
	running := master.Update(mesos.TaskState_TASK_RUNNING)
	if running.GetLatestState() != mesos.TaskState_TASK_FINISHED {
		t.Errorf("latest state %s", running.GetLatestState())
	}
	master.Acknowledge(running)
	master.Acknowledge(master.Update(mesos.TaskState_TASK_FINISHED))
}

func TestExecutorDoesNotComeBack(t *testing.T) {
	workDir, master, containers := t.TempDir(), enginetest.NewMaster(t), enginetest.NewContainers()
	a := startAgent(t, workDir, master, containers)
	enginetest.Expect[*messages.UpdateSlaveMessage](master)
	master.Send(runTask("t1"))
	event(t, a.subscribe("t1", &executor.Call_Subscribe{}), executor.Event_LAUNCH)
	if err := a.stop(); err != nil {
		t.Fatal(err)
	}
	startAgent(t, workDir, master, containers)
	gone := master.Update(mesos.TaskState_TASK_GONE)
	if got := gone.GetStatus().GetReason(); got != mesos.TaskStatus_REASON_EXECUTOR_REREGISTRATION_TIMEOUT {
		t.Errorf("reason %s", got)
	}
}

func TestLaunchFails(t *testing.T) {
	master, containers := enginetest.NewMaster(t), enginetest.NewContainers()
	containers.FailLaunches(errors.New("no space"))
	startAgent(t, t.TempDir(), master, containers)
	enginetest.Expect[*messages.UpdateSlaveMessage](master)
	master.Send(runTask("t1"))
	failed := master.Update(mesos.TaskState_TASK_FAILED).GetStatus()
	if failed.GetReason() != mesos.TaskStatus_REASON_CONTAINER_LAUNCH_FAILED ||
		failed.GetMessage() != "Failed to launch container: no space" {
		t.Errorf("%s: %s", failed.GetReason(), failed.GetMessage())
	}
}

// gate is a store that can be closed.
type gate struct {
	Store
	closed atomic.Bool
	fail   atomic.Bool
	open   chan struct{}
	// reached gets a word when somebody waits; it may be nil.
	reached chan struct{}
}

func (g *gate) Apply(rs []state.Record) error {
	if g.fail.Load() {
		return errors.New("disk is broken")
	}
	if g.closed.Load() {
		select {
		case g.reached <- struct{}{}:
		default:
		}
		<-g.open
	}
	return g.Store.Apply(rs)
}

// TestNothingLeavesBeforeItIsDurable holds the disk up and looks that neither
// master nor executor hear of an update.
func TestNothingLeavesBeforeItIsDurable(t *testing.T) {
	master, containers := enginetest.NewMaster(t), enginetest.NewContainers()
	g := &gate{open: make(chan struct{})}
	a := startAgent(t, t.TempDir(), master, containers, func(c *Config) {
		g.Store = c.Store
		c.Store = g
	})
	enginetest.Expect[*messages.UpdateSlaveMessage](master)
	master.Send(runTask("t1"))
	stream := a.subscribe("t1", &executor.Call_Subscribe{})
	event(t, stream, executor.Event_LAUNCH)
	g.closed.Store(true)
	go a.report("t1", mesos.TaskState_TASK_RUNNING, 1)
	for waited := time.After(200 * time.Millisecond); waited != nil; {
		select {
		case msg := <-master.Got: // it may be registering twice
			if _, ok := msg.(*messages.StatusUpdateMessage); ok {
				t.Errorf("left before it was durable: %v", msg)
			}
		case e := <-stream.Events():
			t.Errorf("left before it was durable: %v", e)
		case <-waited:
			waited = nil
		}
	}
	close(g.open)
	master.Update(mesos.TaskState_TASK_RUNNING)
	event(t, stream, executor.Event_ACKNOWLEDGED)
}

// TestViewsShowWhatIsDurable holds the disk up: a reader of that time waits until
// what it is shown is there.
func TestViewsShowWhatIsDurable(t *testing.T) {
	master, containers := enginetest.NewMaster(t), enginetest.NewContainers()
	g := &gate{open: make(chan struct{}), reached: make(chan struct{}, 1)}
	a := startAgent(t, t.TempDir(), master, containers, func(c *Config) {
		g.Store = c.Store
		c.Store = g
	})
	enginetest.Expect[*messages.UpdateSlaveMessage](master)
	g.closed.Store(true)
	master.Send(runTask("t1"))
	<-g.reached // the task's checkpoints are on their way
	patience, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if v, err := a.View(patience); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("view %v, %v of what is not durable", v, err)
	}
	shown := make(chan *state.View, 1)
	go func() {
		v, _ := a.View(t.Context())
		shown <- v
	}()
	close(g.open)
	if v := <-shown; v == nil || len(v.Frameworks) != 1 {
		t.Errorf("view %v once it is durable", v)
	}
}

func TestBrokenDiskEndsAgent(t *testing.T) {
	master, containers := enginetest.NewMaster(t), enginetest.NewContainers()
	g := &gate{}
	a := startAgent(t, t.TempDir(), master, containers, func(c *Config) {
		g.Store = c.Store
		c.Store = g
	})
	enginetest.Expect[*messages.UpdateSlaveMessage](master)
	g.fail.Store(true)
	master.Send(runTask("t1"))
	eventually(t, "the agent ends", func() error {
		select {
		case <-a.stopped:
			return nil
		default:
			return errors.New("it runs")
		}
	})
	if err := a.stop(); err == nil {
		t.Error("no error")
	}
}

func TestShutdown(t *testing.T) {
	master, containers := enginetest.NewMaster(t), enginetest.NewContainers()
	a := startAgent(t, t.TempDir(), master, containers, func(c *Config) {
		c.State.ExecutorShutdownGrace = 50 * time.Millisecond
	})
	enginetest.Expect[*messages.UpdateSlaveMessage](master)
	master.Send(runTask("t1"))
	stream := a.subscribe("t1", &executor.Call_Subscribe{})
	event(t, stream, executor.Event_LAUNCH)
	if err := a.Shutdown(t.Context(), "test"); err != nil {
		t.Fatal(err)
	}
	event(t, stream, executor.Event_SHUTDOWN)
	enginetest.Expect[*messages.UnregisterSlaveMessage](master)
	<-a.stopped // the container is destroyed after the grace period
	if err := a.stop(); err != nil {
		t.Error(err)
	}
}

func TestSlowExecutorIsDisconnected(t *testing.T) {
	master, containers := enginetest.NewMaster(t), enginetest.NewContainers()
	a := startAgent(t, t.TempDir(), master, containers)
	enginetest.Expect[*messages.UpdateSlaveMessage](master)
	master.Send(runTask("t1"))
	stream := a.subscribe("t1", &executor.Call_Subscribe{})
	for range streamQueue + 10 {
		master.Send(&messages.FrameworkToExecutorMessage{
			SlaveId: &mesos.AgentID{Value: new("m-S0")}, FrameworkId: testFramework().Id,
			ExecutorId: &mesos.ExecutorID{Value: new("t1")}, Data: []byte("x"),
		})
	}
	eventually(t, "the executor is disconnected", func() error {
		a.streams.mu.Lock()
		defer a.streams.mu.Unlock()
		if len(a.streams.open) > 0 {
			return errors.New("it isn't")
		}
		return nil
	})
	events := 0
	for range stream.Events() {
		events++
	}
	if events != streamQueue {
		t.Errorf("%d events of %d were kept", events, streamQueue)
	}
	a.subscribe("t1", &executor.Call_Subscribe{}) // it may come again
}

func TestCollector(t *testing.T) {
	dir := t.TempDir()
	c := newCollector(Config{GCDelay: time.Hour, State: state.Config{WorkDir: dir}, DiskWatchInterval: time.Hour}.withDefaults(),
		Config{}.withDefaults().Log)
	var removed []string
	for i, name := range []string{"old", "kept", "new"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Join(path, "below"), 0o755); err != nil {
			t.Fatal(err)
		}
		then := time.Now().Add(time.Duration(i-2) * 40 * time.Minute)
		if err := os.Chtimes(path, then, then); err != nil {
			t.Fatal(err)
		}
		c.collect(path, true, func() { removed = append(removed, name) })
	}
	c.keep(filepath.Join(dir, "kept"))
	c.sweep(t.Context(), time.Now().Add(-c.age(0)))
	if !slices.Equal(removed, []string{"old"}) || c.pending() != 1 {
		t.Errorf("removed %v, %d pending", removed, c.pending())
	}
	c.sweep(t.Context(), time.Now().Add(time.Second)) // the disk is full
	if !slices.Equal(removed, []string{"old", "new"}) {
		t.Errorf("removed %v", removed)
	}
	if _, err := os.Stat(filepath.Join(dir, "kept", "below")); err != nil {
		t.Error(err)
	}
}
