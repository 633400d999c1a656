package scheduler

import (
	"testing"

	"github.com/google/uuid"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

const internal = "mesos.internal."

// agent is what an agent is to a master: a libprocess peer that registers, and
// says of tasks what it is told to.
type agent struct {
	*testbed.Peer
	t      testing.TB
	master string
	id     *mesos.AgentID
}

func startAgent(t testing.TB, master *testbed.Master) *agent {
	t.Helper()
	return startAgentWith(t, master, func(*messages.RegisterSlaveMessage) {})
}

// startAgentWith starts an agent that says something else of itself.
func startAgentWith(t testing.TB, master *testbed.Master, change func(*messages.RegisterSlaveMessage)) *agent {
	t.Helper()
	a := &agent{Peer: testbed.NewPeer(t, "slave(1)"), t: t, master: "master@" + master.Address}
	a.On(internal+"PingSlaveMessage", func(m testbed.Message) {
		a.Send(m.From, internal+"PongSlaveMessage", &messages.PongSlaveMessage{})
	})
	register := &messages.RegisterSlaveMessage{
		Version: new("1.11.0"),
		Slave: &mesos.AgentInfo{Hostname: new("agent.example"), Port: new(int32(5051)), Resources: []*mesos.Resource{
			scalar("cpus", 4), scalar("mem", 4096), scalar("disk", 10240),
			{Name: new("ports"), Type: mesos.Value_RANGES.Enum(), Ranges: &mesos.Value_Ranges{
				Range: []*mesos.Value_Range{{Begin: new(uint64(31000)), End: new(uint64(32000))}}}},
		}},
	}
	for c := mesos.AgentInfo_Capability_MULTI_ROLE; c <= mesos.AgentInfo_Capability_TASK_RESOURCE_LIMITS; c++ {
		register.AgentCapabilities = append(register.AgentCapabilities, &mesos.AgentInfo_Capability{Type: c.Enum()})
	}
	change(register)
	a.Send(a.master, internal+"RegisterSlaveMessage", register)
	var registered messages.SlaveRegisteredMessage
	a.Receive(internal+"SlaveRegisteredMessage", &registered)
	a.id = registered.SlaveId
	return a
}

func scalar(name string, value float64) *mesos.Resource {
	return &mesos.Resource{Name: &name, Type: mesos.Value_SCALAR.Enum(), Scalar: &mesos.Value_Scalar{Value: &value}}
}

// launched takes the next task that the master sends.
func (a *agent) launched() *messages.RunTaskMessage {
	a.t.Helper()
	var run messages.RunTaskMessage
	a.Receive(internal+"RunTaskMessage", &run)
	return &run
}

// update reports a state of a task, as the agent's status update manager does.
func (a *agent) update(run *messages.RunTaskMessage, s mesos.TaskState) (id []byte) {
	a.t.Helper()
	u := uuid.New()
	a.Send(a.master, internal+"StatusUpdateMessage", &messages.StatusUpdateMessage{
		Pid: new(a.PID),
		Update: &messages.StatusUpdate{
			FrameworkId: run.Framework.Id, SlaveId: a.id, Timestamp: new(1.0), Uuid: u[:], LatestState: s.Enum(),
			Status: &mesos.TaskStatus{
				TaskId: run.Task.TaskId, State: s.Enum(), AgentId: a.id, Uuid: u[:], Timestamp: new(1.0),
				Source: mesos.TaskStatus_SOURCE_EXECUTOR.Enum(),
			},
		},
	})
	return u[:]
}
