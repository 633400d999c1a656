package state

import (
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/executor"
)

// event sends an event to an executor that is connected. To one that is not it
// is lost, which subscribing again makes up for.
func (m *Machine) event(r *run, e *executor.Event) {
	if r.pid != "" {
		m.tellDriver(r, e)
		return
	}
	if r.stream == 0 {
		m.warn("event lost: executor is not connected", append(fields(r), "event", e.GetType().String())...)
		return
	}
	m.do(SendEvent{Stream: r.stream, Event: e})
}

func (m *Machine) closeStream(r *run) {
	if r.stream == 0 {
		return
	}
	m.do(CloseStream{Stream: r.stream})
	delete(m.subscribed, r.stream)
	r.stream = 0
}

func (m *Machine) streamClosed(s StreamID) {
	if p := m.providers.streams[s]; p != nil {
		m.providerDisconnected(p)
		return
	}
	r := m.subscribed[s]
	if r == nil {
		return
	}
	m.inform("executor disconnected", fields(r)...)
	delete(m.subscribed, s)
	r.stream = 0
}

func subscribedEvent(r *run, agent *mesos.AgentInfo) *executor.Event {
	return &executor.Event{
		Type: executor.Event_SUBSCRIBED.Enum(),
		Subscribed: &executor.Event_Subscribed{
			ExecutorInfo:  r.info,
			FrameworkInfo: r.framework.info,
			AgentInfo:     agent,
			ContainerId:   &mesos.ContainerID{Value: &r.container},
		},
	}
}

func launchEvent(t *mesos.TaskInfo) *executor.Event {
	return &executor.Event{Type: executor.Event_LAUNCH.Enum(), Launch: &executor.Event_Launch{Task: t}}
}

func launchGroupEvent(g *mesos.TaskGroupInfo) *executor.Event {
	return &executor.Event{
		Type: executor.Event_LAUNCH_GROUP.Enum(), LaunchGroup: &executor.Event_LaunchGroup{TaskGroup: g},
	}
}

func killEvent(task string, policy *mesos.KillPolicy) *executor.Event {
	return &executor.Event{
		Type: executor.Event_KILL.Enum(),
		Kill: &executor.Event_Kill{TaskId: &mesos.TaskID{Value: &task}, KillPolicy: policy},
	}
}

func acknowledgedEvent(task *mesos.TaskID, uuid []byte) *executor.Event {
	return &executor.Event{
		Type:         executor.Event_ACKNOWLEDGED.Enum(),
		Acknowledged: &executor.Event_Acknowledged{TaskId: task, Uuid: uuid},
	}
}

func messageEvent(data []byte) *executor.Event {
	return &executor.Event{Type: executor.Event_MESSAGE.Enum(), Message: &executor.Event_Message{Data: data}}
}

func shutdownEvent() *executor.Event {
	return &executor.Event{Type: executor.Event_SHUTDOWN.Enum()}
}
