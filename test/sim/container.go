package sim

import (
	"slices"
	"time"

	agentstate "github.com/mesos-operator/mesos-operator/agentd/state"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/executor"
)

// container is a container with an executor in it, which runs what it is sent
// for a while.
type container struct {
	agent     *agent
	id        string
	framework *mesos.FrameworkID
	executor  *mesos.ExecutorID
	alive     bool
	status    int32 // once it is not

	subscribed bool
	stream     agentstate.StreamID
	tasks      map[string]*running
	order      []string
	// updates and launched are not acknowledged yet.
	updates  []*mesos.TaskStatus
	launched []*mesos.TaskInfo
}

// running is a task in a container.
type running struct {
	info  *mesos.TaskInfo
	ended bool
}

// performContainer does what concerns containers and executors.
func (a *agent) performContainer(e agentstate.Effect) {
	switch e := e.(type) {
	case agentstate.LaunchContainer:
		a.launch(e)
	case agentstate.RecoverContainers:
		a.recoverContainers(e)
	case agentstate.WaitContainer:
		c := a.containers[e.Container]
		if c == nil || !c.alive {
			a.later(a.soon(), func() { a.step(agentstate.ContainerTerminated{Container: e.Container}) })
		}
	case agentstate.UpdateContainer:
		a.later(a.soon(), func() { a.step(agentstate.ContainerUpdated{Token: e.Token}) })
	case agentstate.DescribeContainer:
		a.later(a.soon(), func() {
			a.step(agentstate.ContainerDescribed{Token: e.Token, Status: &mesos.ContainerStatus{ContainerId: e.Container}})
		})
	case agentstate.DestroyContainer:
		if c := a.containers[e.Container]; c != nil {
			a.sim.after(a.soon(), func() { c.end(9) })
		}
	case agentstate.SendEvent:
		if c := a.listeners[e.Stream]; c != nil {
			a.sim.after(a.soon(), func() { c.event(e.Stream, e.Event.(*executor.Event)) })
		}
	case agentstate.CloseStream:
		if c := a.listeners[e.Stream]; c != nil {
			delete(a.listeners, e.Stream)
			a.sim.after(a.soon()+20*time.Millisecond, func() { c.streamClosed(e.Stream) })
		}
	case agentstate.Reply:
		if done := a.answers[e.Reply]; done != nil {
			delete(a.answers, e.Reply)
			done(e.Status)
		}
	}
}

func (a *agent) launch(e agentstate.LaunchContainer) {
	if a.sim.troubled() && a.sim.chance(0.03) {
		a.later(a.soon(), func() {
			a.step(agentstate.ContainerLaunched{Container: e.Container, Err: errLaunch})
		})
		return
	}
	c := &container{
		agent: a, id: e.Container, framework: &mesos.FrameworkID{Value: &e.FrameworkID},
		executor: e.Executor.ExecutorId, alive: true, tasks: map[string]*running{},
	}
	a.containers[c.id] = c
	a.order = append(a.order, c)
	a.later(a.soon(), func() {
		a.step(agentstate.ContainerLaunched{Container: c.id, Status: &mesos.ContainerStatus{}})
		if !c.alive {
			c.tellEnd()
		}
	})
	a.sim.after(a.soon()+a.sim.upTo(500*time.Millisecond), c.subscribe)
}

type simError string

func (e simError) Error() string { return string(e) }

const errLaunch = simError("no luck today")

// recoverContainers ends what the agent does not know any more.
func (a *agent) recoverContainers(e agentstate.RecoverContainers) {
	known := map[string]bool{}
	for _, k := range e.Known {
		known[k.Container] = true
	}
	statuses := map[string]*mesos.ContainerStatus{}
	for _, c := range a.order {
		if c.alive && known[c.id] {
			statuses[c.id] = &mesos.ContainerStatus{}
		} else {
			c.end(9)
		}
	}
	a.later(a.soon(), func() {
		a.step(agentstate.ContainersRecovered{Statuses: statuses})
		a.detect(a.soon())
	})
}

// end ends the container.
func (c *container) end(status int32) {
	if c.alive {
		c.alive, c.status = false, status
		c.tellEnd()
	}
}

func (c *container) tellEnd() {
	c.agent.later(c.agent.soon(), func() {
		c.agent.step(agentstate.ContainerTerminated{Container: c.id, Termination: agentstate.Termination{Status: &c.status}})
	})
}

// call calls the agent, which must be there.
func (c *container) call(call *executor.Call, stream agentstate.StreamID, done func(status int)) {
	call.ExecutorId, call.FrameworkId = c.executor, c.framework
	a := c.agent
	a.replies++
	a.answers[a.replies] = done
	a.step(agentstate.ExecutorCall{Reply: a.replies, Stream: stream, Call: carry(a.sim, call)})
}

// subscribe subscribes with the agent, as soon as it is there.
func (c *container) subscribe() {
	if !c.alive || c.subscribed {
		return
	}
	a := c.agent
	if !a.up {
		a.sim.after(100*time.Millisecond+a.sim.upTo(200*time.Millisecond), c.subscribe)
		return
	}
	a.streams++
	stream := a.streams
	sub := &executor.Call_Subscribe{UnacknowledgedTasks: c.launched}
	for _, u := range c.updates {
		sub.UnacknowledgedUpdates = append(sub.UnacknowledgedUpdates, &executor.Call_Update{Status: u})
	}
	c.stream, a.listeners[stream] = stream, c
	c.call(&executor.Call{Type: executor.Call_SUBSCRIBE.Enum(), Subscribe: sub}, stream, func(status int) {
		a.sim.note("%s: executor %s subscribes: %d", a.node, c.executor.GetValue(), status)
		switch status {
		case 200:
			c.subscribed = true
		case 503:
			a.sim.after(100*time.Millisecond+a.sim.upTo(200*time.Millisecond), c.subscribe)
		default:
			c.end(1)
		}
	})
}

// lostAgent is what an executor notices when its agent crashes.
func (c *container) lostAgent() {
	if c.alive && c.subscribed {
		c.subscribed = false
		c.agent.sim.after(c.agent.sim.upTo(300*time.Millisecond), c.subscribe)
	}
}

func (c *container) streamClosed(stream agentstate.StreamID) {
	if stream == c.stream {
		c.end(0)
	}
}

// event takes an event of the agent.
func (c *container) event(stream agentstate.StreamID, e *executor.Event) {
	if !c.alive || stream != c.stream {
		return
	}
	switch e.GetType() {
	case executor.Event_LAUNCH:
		c.run(e.GetLaunch().GetTask())
	case executor.Event_LAUNCH_GROUP:
		for _, t := range e.GetLaunchGroup().GetTaskGroup().GetTasks() {
			c.run(t)
		}
	case executor.Event_KILL:
		c.finish(e.GetKill().GetTaskId().GetValue(), mesos.TaskState_TASK_KILLED)
	case executor.Event_ACKNOWLEDGED:
		c.acknowledged(e.GetAcknowledged())
	case executor.Event_SHUTDOWN:
		c.agent.sim.after(c.agent.soon(), func() { c.end(0) })
	}
}

// run runs a task for some time.
func (c *container) run(info *mesos.TaskInfo) {
	id := info.GetTaskId().GetValue()
	s := c.agent.sim
	if c.tasks[id] != nil {
		s.fail("executor %s gets task %s twice", c.executor.GetValue(), id)
		return
	}
	c.tasks[id] = &running{info: info}
	c.order = append(c.order, id)
	c.launched = append(c.launched, info)
	c.update(id, mesos.TaskState_TASK_STARTING)
	c.update(id, mesos.TaskState_TASK_RUNNING)
	end := mesos.TaskState_TASK_FINISHED
	if s.chance(0.2) {
		end = mesos.TaskState_TASK_FAILED
	}
	s.after(s.upTo(90*time.Second), func() { c.finish(id, end) })
}

// finish ends a task.
func (c *container) finish(id string, state mesos.TaskState) {
	if t := c.tasks[id]; c.alive && t != nil && !t.ended {
		t.ended = true
		c.update(id, state)
	}
}

// update sends an update, and keeps it until it is acknowledged.
func (c *container) update(id string, state mesos.TaskState) {
	s := c.agent.sim
	u := &mesos.TaskStatus{
		TaskId: &mesos.TaskID{Value: &id}, State: &state, Uuid: s.uuid(), ExecutorId: c.executor,
		Source: mesos.TaskStatus_SOURCE_EXECUTOR.Enum(), Timestamp: new(float64(s.now.UnixNano()) / 1e9),
	}
	c.updates = append(c.updates, u)
	s.note("%s: executor of %s says %s", c.agent.node, id, state)
	c.send(u)
}

// send sends an update, again if the agent is not ready. One that can't be sent
// now goes with the next SUBSCRIBE.
func (c *container) send(u *mesos.TaskStatus) {
	if !c.alive || !c.subscribed || !c.agent.up || !slices.Contains(c.updates, u) {
		return
	}
	c.call(&executor.Call{Type: executor.Call_UPDATE.Enum(), Update: &executor.Call_Update{Status: u}}, 0, func(status int) {
		if status == 503 {
			c.agent.sim.after(100*time.Millisecond+c.agent.soon(), func() { c.send(u) })
		}
	})
}

// acknowledged forgets an update that the agent has. An executor whose tasks
// have all ended, and said so, is done.
func (c *container) acknowledged(ack *executor.Event_Acknowledged) {
	c.agent.sim.note("%s: executor of %s has an acknowledgement", c.agent.node, ack.GetTaskId().GetValue())
	for i, u := range c.updates {
		if string(u.Uuid) == string(ack.GetUuid()) {
			c.updates = append(c.updates[:i:i], c.updates[i+1:]...)
			break
		}
	}
	for i, t := range c.launched {
		if t.GetTaskId().GetValue() == ack.GetTaskId().GetValue() {
			c.launched = append(c.launched[:i:i], c.launched[i+1:]...)
			break
		}
	}
	for _, id := range c.order {
		if !c.tasks[id].ended {
			return
		}
	}
	if len(c.updates) == 0 {
		c.agent.sim.after(c.agent.soon(), func() {
			if len(c.updates) == 0 {
				c.end(0)
			}
		})
	}
}
