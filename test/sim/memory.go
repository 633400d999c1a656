package sim

import (
	"google.golang.org/protobuf/proto"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	mesosmaster "github.com/mesos-operator/mesos-operator/api/mesos/v1/master"
	"github.com/mesos-operator/mesos-operator/masterd/state"
)

// memoryEvery is how often a leader's memory is checked, in steps.
const memoryEvery = 64

// remember notes the tasks that a leader sends to agents.
func (m *master) remember(msg proto.Message) {
	add := func(info *mesos.FrameworkInfo, t *mesos.TaskInfo) {
		m.launched[state.TaskKey{
			Framework: state.FrameworkID(info.GetId().GetValue()), Task: state.TaskID(t.GetTaskId().GetValue()),
		}] = true
	}
	switch msg := msg.(type) {
	case *messages.RunTaskMessage:
		add(msg.GetFramework(), msg.GetTask())
	case *messages.RunTaskGroupMessage:
		for _, t := range msg.GetTaskGroup().GetTasks() {
			add(msg.GetFramework(), t)
		}
	}
}

// checkMemory: every task that a leader launched is believed to live, or to be
// out of reach, and not both; or it ended, and there is a record of how.
func (m *master) checkMemory() {
	v := m.machine.View()
	known := map[state.TaskKey]mesos.TaskState{}
	for t := range v.Tasks.All() {
		known[keyOf(t)] = t.GetState()
	}
	for t := range v.UnreachableTasks.All() {
		if s, ok := known[keyOf(t)]; ok {
			m.sim.fail("task %s is out of reach and is %s", t.GetTaskId().GetValue(), s)
		}
		known[keyOf(t)] = t.GetState()
	}
	for t := range v.CompletedTasks.All() {
		if s, ok := known[keyOf(t)]; ok && !terminal(s) {
			m.sim.fail("task %s is completed as %s and is %s", t.GetTaskId().GetValue(), t.GetState(), s)
		}
		if !terminal(t.GetState()) {
			m.sim.fail("task %s is completed and %s", t.GetTaskId().GetValue(), t.GetState())
		}
		known[keyOf(t)] = t.GetState()
	}
	for key := range m.launched {
		if _, ok := known[key]; !ok {
			m.sim.fail("the master has forgotten task %s of %s", key.Task, key.Framework)
		}
	}
}

func keyOf(t *mesos.Task) state.TaskKey {
	return state.TaskKey{
		Framework: state.FrameworkID(t.GetFrameworkId().GetValue()), Task: state.TaskID(t.GetTaskId().GetValue()),
	}
}

// tearDownForgotten does what an operator has to do after a change of leader:
// frameworks that agents brought back, and that nobody goes by any more, were
// removed under an earlier leader, which the registry does not keep.
func (m *master) tearDownForgotten() {
	for f := range m.machine.View().Frameworks.All() {
		if !f.Recovered {
			continue
		}
		m.sim.note("an operator tears %s down", f.ID)
		m.replies++
		m.calls[m.replies] = func(int) {}
		m.step(state.OperatorCall{Reply: m.replies, Call: &mesosmaster.Call{
			Type: mesosmaster.Call_TEARDOWN.Enum(), Teardown: &mesosmaster.Call_Teardown{FrameworkId: f.Info.GetId()},
		}})
	}
}
