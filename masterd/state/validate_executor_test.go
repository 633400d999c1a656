package state

import (
	"testing"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// TestExecutorInUse: an executor that runs takes further tasks of those who
// describe it as it is; on another agent its ID is free.
func TestExecutorInUse(t *testing.T) {
	tests := map[string]struct {
		change    func(*mesos.ExecutorInfo)
		elsewhere bool
		want      string
	}{
		"the same":                   {func(*mesos.ExecutorInfo) {}, false, ""},
		"another command":            {func(e *mesos.ExecutorInfo) { e.Command.Value = new("other") }, false, "in use"},
		"other resources":            {func(e *mesos.ExecutorInfo) { e.Resources = wire("cpus:0.2") }, false, "in use"},
		"another command, elsewhere": {func(e *mesos.ExecutorInfo) { e.Command.Value = new("other") }, true, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, testConfig())
			a, b := r.addAgent(0, "cpus:8;mem:100"), r.addAgent(1, "cpus:8;mem:100")
			f := r.subscribe("s", "web")
			first := taskInfo("first", a, "cpus:1")
			first.Command, first.Executor = nil, customExecutor("e", "cpus:0.1")
			r.acceptOffer(r.offer(f, a, "cpus:2"), launchOp(first))
			if test.elsewhere {
				a = b
			}
			second := taskInfo("second", a, "cpus:1")
			second.Command, second.Executor = nil, customExecutor("e", "cpus:0.1")
			test.change(second.Executor)
			effects := r.acceptOffer(r.offer(f, a, "cpus:2"), launchOp(second))
			checkRefused(t, effects, mesos.TaskStatus_REASON_TASK_INVALID, test.want)
		})
	}
}

// TestReregistrationValidation: an agent that contradicts itself is not taken
// back.
func TestReregistrationValidation(t *testing.T) {
	id := func(m *messages.ReregisterSlaveMessage) *mesos.FrameworkID { return m.Frameworks[0].Id }
	tests := map[string]struct {
		change func(*messages.ReregisterSlaveMessage)
		taken  bool
	}{
		"valid":             {func(*messages.ReregisterSlaveMessage) {}, true},
		"no ID":             {func(m *messages.ReregisterSlaveMessage) { m.Slave.Id = nil }, false},
		"a framework twice": {func(m *messages.ReregisterSlaveMessage) { m.Frameworks = append(m.Frameworks, m.Frameworks[0]) }, false},
		"an executor twice": {func(m *messages.ReregisterSlaveMessage) {
			m.ExecutorInfos = append(m.ExecutorInfos, m.ExecutorInfos[0])
		}, false},
		"an executor of nobody": {func(m *messages.ReregisterSlaveMessage) {
			m.ExecutorInfos[0].FrameworkId = &mesos.FrameworkID{Value: new("x")}
		}, false},
		"a task of nobody": {func(m *messages.ReregisterSlaveMessage) {
			m.Tasks = []*mesos.Task{{
				Name: new("t"), TaskId: &mesos.TaskID{Value: new("t")}, FrameworkId: &mesos.FrameworkID{Value: new("x")},
				AgentId: m.Slave.Id, State: mesos.TaskState_TASK_RUNNING.Enum(),
			}}
		}, false},
		"a task in no known state": {func(m *messages.ReregisterSlaveMessage) {
			m.Tasks = []*mesos.Task{{
				Name: new("t"), TaskId: &mesos.TaskID{Value: new("t")}, FrameworkId: id(m), AgentId: m.Slave.Id,
				State: mesos.TaskState(48).Enum(),
			}}
		}, false},
		"a task of another agent": {func(m *messages.ReregisterSlaveMessage) {
			m.Tasks = []*mesos.Task{{
				Name: new("t"), TaskId: &mesos.TaskID{Value: new("t")}, FrameworkId: id(m),
				AgentId: &mesos.AgentID{Value: new("x")}, State: mesos.TaskState_TASK_RUNNING.Enum(),
			}}
		}, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, testConfig())
			info := &mesos.FrameworkInfo{User: new("u"), Name: new("n"), Id: &mesos.FrameworkID{Value: new("f")}}
			e := customExecutor("e", "cpus:0.1")
			e.FrameworkId = info.Id
			msg := &messages.ReregisterSlaveMessage{
				Slave:   &mesos.AgentInfo{Hostname: new("h"), Id: &mesos.AgentID{Value: new("old-S0")}, Resources: wire("cpus:4")},
				Version: new("1.11.0"), AgentCapabilities: allCapabilities(),
				Frameworks: []*mesos.FrameworkInfo{info}, ExecutorInfos: []*mesos.ExecutorInfo{e},
			}
			test.change(msg)
			r.do(PeerMessage{From: agentPID(0), Message: msg})
			if got := r.m.agents["old-S0"] != nil; got != test.taken {
				t.Errorf("taken back: %t, want %t", got, test.taken)
			}
		})
	}
}
