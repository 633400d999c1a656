package state

import (
	"time"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	mesosmaster "github.com/mesos-operator/mesos-operator/api/mesos/v1/master"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// The events of the operator API.

func (m *Machine) publish(e *mesosmaster.Event) { m.emit(Publish{Event: e}) }

func (m *Machine) publishOfTask(t *task, e *mesosmaster.Event) {
	m.emit(Publish{Event: e, Framework: t.framework.info, User: t.info.User})
}

func (m *Machine) publishTaskAdded(t *task) {
	t.shared = true
	m.publishOfTask(t, &mesosmaster.Event{
		Type:      mesosmaster.Event_TASK_ADDED.Enum(),
		TaskAdded: &mesosmaster.Event_TaskAdded{Task: t.info},
	})
}

// publishTaskUpdated tells of a status. The state beside it is the task's
// latest, which may be ahead.
func (m *Machine) publishTaskUpdated(t *task, status *mesos.TaskStatus) {
	m.publishOfTask(t, &mesosmaster.Event{
		Type: mesosmaster.Event_TASK_UPDATED.Enum(),
		TaskUpdated: &mesosmaster.Event_TaskUpdated{
			FrameworkId: t.info.GetFrameworkId(), Status: status, State: t.info.State,
		},
	})
}

func (m *Machine) publishFrameworkAdded(f *framework) {
	m.publish(&mesosmaster.Event{
		Type:           mesosmaster.Event_FRAMEWORK_ADDED.Enum(),
		FrameworkAdded: &mesosmaster.Event_FrameworkAdded{Framework: f.response()},
	})
}

func (m *Machine) publishFrameworkUpdated(f *framework) {
	m.publish(&mesosmaster.Event{
		Type:             mesosmaster.Event_FRAMEWORK_UPDATED.Enum(),
		FrameworkUpdated: &mesosmaster.Event_FrameworkUpdated{Framework: f.response()},
	})
}

func (m *Machine) publishFrameworkRemoved(f *framework) {
	m.publish(&mesosmaster.Event{
		Type:             mesosmaster.Event_FRAMEWORK_REMOVED.Enum(),
		FrameworkRemoved: &mesosmaster.Event_FrameworkRemoved{FrameworkInfo: f.info},
	})
}

func (m *Machine) publishAgentAdded(a *agent) {
	m.publish(&mesosmaster.Event{
		Type:       mesosmaster.Event_AGENT_ADDED.Enum(),
		AgentAdded: &mesosmaster.Event_AgentAdded{Agent: m.agentResponse(a)},
	})
}

func (m *Machine) publishAgentRemoved(a *agent) {
	m.publish(&mesosmaster.Event{
		Type:         mesosmaster.Event_AGENT_REMOVED.Enum(),
		AgentRemoved: &mesosmaster.Event_AgentRemoved{AgentId: a.info.GetId()},
	})
}

// response is a framework as events show it.
func (f *framework) response() *mesosmaster.Response_GetFrameworks_Framework {
	return &mesosmaster.Response_GetFrameworks_Framework{
		FrameworkInfo:    f.info,
		Active:           new(f.active),
		Connected:        new(f.connected),
		Recovered:        new(f.recovered),
		RegisteredTime:   wireTime(f.registered),
		ReregisteredTime: wireTime(f.reregistered),
		UnregisteredTime: wireTime(f.unregistered),
	}
}

// wireTime is a time in nanoseconds, 0 for the zero time.
func wireTime(t time.Time) *mesos.TimeInfo {
	if t.IsZero() {
		return &mesos.TimeInfo{Nanoseconds: new(int64(0))}
	}
	return &mesos.TimeInfo{Nanoseconds: new(t.UnixNano())}
}

// agentResponse is an agent as events show it.
func (m *Machine) agentResponse(a *agent) *mesosmaster.Response_GetAgents_Agent {
	r := &mesosmaster.Response_GetAgents_Agent{
		AgentInfo:          a.info,
		Active:             new(a.active),
		Version:            &a.version,
		Pid:                new(string(a.pid)),
		RegisteredTime:     wireTime(a.registered),
		TotalResources:     resources.Endpoint(a.total.Proto()),
		AllocatedResources: resources.Endpoint(a.used.Proto()),
		OfferedResources:   resources.Endpoint(a.offered.Proto()),
		Capabilities:       a.caps.list,
		Deactivated:        new(m.policy.deactivated[a.id]),
		DrainInfo:          m.policy.draining[a.id],
	}
	for _, p := range a.providersRecord() {
		r.ResourceProviders = append(r.ResourceProviders, &mesosmaster.Response_GetAgents_Agent_ResourceProvider{
			ResourceProviderInfo: p.Info, TotalResources: resources.Endpoint(p.Total),
		})
	}
	if !a.reregistered.IsZero() {
		r.ReregisteredTime = wireTime(a.reregistered)
	}
	return r
}
