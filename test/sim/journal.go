package sim

import (
	"slices"

	agentstate "github.com/mesos-operator/mesos-operator/agentd/state"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// journal is an agent's disk: every record is durable at once.
type journal struct {
	agent      *mesos.AgentInfo
	drain      *mesos.DrainConfig
	resources  []*mesos.Resource
	operations []*mesos.Operation
	frameworks []*journalFramework
}

type journalFramework struct {
	snapshot  agentstate.FrameworkSnapshot
	executors []*agentstate.ExecutorSnapshot
}

// write takes a record.
func (j *journal) write(r agentstate.Record) {
	switch r := r.(type) {
	case agentstate.AgentRecord:
		if j.agent.GetId().GetValue() != r.Info.GetId().GetValue() {
			j.frameworks = nil
		}
		j.agent = r.Info
	case agentstate.ForgetAgentRecord:
		j.agent, j.frameworks, j.drain = nil, nil, nil
	case agentstate.FrameworkRecord:
		f := j.framework(r.Info.GetId().GetValue())
		f.snapshot.Info, f.snapshot.PID = r.Info, r.PID
	case agentstate.ExecutorRecord:
		f := j.framework(r.FrameworkID)
		f.executors = slices.DeleteFunc(f.executors, func(e *agentstate.ExecutorSnapshot) bool {
			return e.Info.GetExecutorId().GetValue() == r.Info.GetExecutorId().GetValue()
		})
		f.executors = append(f.executors, &agentstate.ExecutorSnapshot{Info: r.Info, Generated: r.Generated, Container: r.Container})
	case agentstate.CompletedRecord:
		j.run(r.Run, func(e *agentstate.ExecutorSnapshot) { e.Completed = true })
	case agentstate.TaskRecord:
		j.run(r.Run, func(e *agentstate.ExecutorSnapshot) {
			e.Tasks = append(e.Tasks, agentstate.TaskSnapshot{Task: r.Task})
		})
	case agentstate.UpdateRecord:
		j.task(r.Run, r.TaskID, func(t *agentstate.TaskSnapshot) { t.Updates = append(t.Updates, r.Update) })
	case agentstate.AcknowledgementRecord:
		j.task(r.Run, r.TaskID, func(t *agentstate.TaskSnapshot) { t.Acknowledged = append(t.Acknowledged, r.UUID) })
	case agentstate.ResourcesRecord:
		j.resources, j.operations = r.Resources, r.Operations
	case agentstate.DrainRecord:
		j.drain = r.Config
	}
}

func (j *journal) framework(id string) *journalFramework {
	for _, f := range j.frameworks {
		if f.snapshot.Info.GetId().GetValue() == id {
			return f
		}
	}
	f := &journalFramework{}
	j.frameworks = append(j.frameworks, f)
	return f
}

func (j *journal) run(id agentstate.RunID, change func(*agentstate.ExecutorSnapshot)) {
	for _, f := range j.frameworks {
		for _, e := range f.executors {
			if e.Container == id.Container {
				change(e)
			}
		}
	}
}

func (j *journal) task(run agentstate.RunID, id string, change func(*agentstate.TaskSnapshot)) {
	j.run(run, func(e *agentstate.ExecutorSnapshot) {
		for i := range e.Tasks {
			if e.Tasks[i].Task.GetTaskId().GetValue() == id {
				change(&e.Tasks[i])
			}
		}
	})
}

// snapshot is what the agent finds after a crash.
func (j *journal) snapshot() *agentstate.Snapshot {
	s := &agentstate.Snapshot{Agent: j.agent, Drain: j.drain, Resources: j.resources, Operations: j.operations}
	for _, f := range j.frameworks {
		fs := f.snapshot
		for _, e := range f.executors {
			es := *e
			es.Tasks = slices.Clone(es.Tasks)
			fs.Executors = append(fs.Executors, es)
		}
		s.Frameworks = append(s.Frameworks, fs)
	}
	return s
}
