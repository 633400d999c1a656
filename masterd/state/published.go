package state

import (
	"maps"
	"slices"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// published is what Views are made of. Records of frameworks, agents and tasks
// are renewed when a View is taken, and only if they changed since the last:
// Step just notes that they did.
type published struct {
	frameworks dirty[framework]
	agents     dirty[agent]
	tasks      dirty[task]

	frameworkTable table[FrameworkID, Framework]
	completedTable table[FrameworkID, Framework]
	agentTable     table[AgentID, Agent]
	taskTable      table[TaskKey, mesos.Task]
	executorTable  table[ExecutorKey, Executor]
	offerTable     table[OfferID, Offer]
	operationTable table[string, mesos.Operation]
	completedTasks table[uint64, mesos.Task]
	nextCompleted  uint64

	unreachableTasks table[TaskKey, mesos.Task]
}

// View returns the state as it is after the last Step. It must be called from
// where Step is called; the View may be read anywhere.
func (m *Machine) View() *View {
	p := &m.published
	m.renew()
	return &View{
		Master:              m.cfg.Master,
		Recovered:           m.recovered,
		Elected:             m.elected,
		Frameworks:          p.frameworkTable.publish(),
		CompletedFrameworks: p.completedTable.publish(),
		Agents:              p.agentTable.publish(),
		RecoveredAgents:     m.former.recovered.publish(),
		UnreachableAgents:   m.former.unreachable.publish(),
		GoneAgents:          m.former.gone.publish(),
		Tasks:               p.taskTable.publish(),
		UnreachableTasks:    p.unreachableTasks.publish(),
		CompletedTasks:      p.completedTasks.publish(),
		Executors:           p.executorTable.publish(),
		Offers:              p.offerTable.publish(),
		Roles:               m.roles,
		Weights:             m.policy.weights,
		Quotas:              m.policy.quotas,
		Operations:          p.operationTable.publish(),
		Schedule:            m.policy.schedule,
		Maintenance:         m.maintenanceStatus(),
		Stats:               m.stats.clone(),
	}
}

// renew makes new records of what changed.
func (m *Machine) renew() {
	p := &m.published
	for _, f := range p.frameworks.take() {
		if f != nil {
			f.dirty = 0
			p.frameworkTable.put(f.id, f.record())
		}
	}
	for _, a := range p.agents.take() {
		if a != nil {
			a.dirty = 0
			p.agentTable.put(a.id, m.agentRecord(a))
		}
	}
	for _, t := range p.tasks.take() {
		if t != nil {
			t.dirty, t.shared = 0, true
			p.taskTable.put(t.key, t.info)
		}
	}
}

func (f *framework) record() *Framework {
	stats := *f.stats
	return &Framework{
		ID:           f.id,
		Info:         f.info,
		PID:          f.conn.PID,
		Connected:    f.connected,
		Active:       f.active,
		Recovered:    f.recovered,
		Registered:   f.registered,
		Reregistered: f.reregistered,
		Unregistered: f.unregistered,
		Roles:        f.roles,
		Suppressed:   f.suppressedRoles(),
		Constraints:  f.constraints,
		Used:         f.used.Proto(),
		Offered:      f.offered.Proto(),
		Stats:        &stats,
	}
}

func (m *Machine) agentRecord(a *agent) *Agent {
	return &Agent{
		ID:           a.id,
		Info:         a.info,
		PID:          a.pid,
		Version:      a.version,
		Capabilities: a.caps.list,
		Connected:    a.connected,
		Active:       a.active,
		Deactivated:  m.policy.deactivated[a.id],
		Drain:        m.policy.draining[a.id],
		DrainStarted: a.drainStarted,
		Registered:   a.registered,
		Reregistered: a.reregistered,
		Total:        a.total.Proto(),
		Checkpointed: a.checkpointed.Proto(),
		Used:         a.used.Proto(),
		Offered:      a.offered.Proto(),
		Providers:    a.providersRecord(),
	}
}

func (a *agent) providersRecord() []ResourceProvider {
	var list []ResourceProvider
	for _, id := range slices.Sorted(maps.Keys(a.providers)) {
		own := a.total.Filter(func(it resources.Item) bool { return it.Provider().GetValue() == id })
		list = append(list, ResourceProvider{Info: a.providers[id].info, Total: own.Proto()})
	}
	return list
}
