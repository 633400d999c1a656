package firstlight

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

func errorOf(v testbed.Value) error { return errors.New(v.String()) }

// uuid is a version 4 UUID whose last byte is n.
func uuid(n byte) []byte {
	return []byte{0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x47, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff, n}
}

// Our master with an agent that isn't ours: registration, pings, a task's
// messages both ways, and the end of the connection.
func TestForeignAgent(t *testing.T) {
	master := testbed.StartMaster(t, "--agent_ping_timeout=1secs")
	pid := "master@" + master.Address
	agent := testbed.NewPeer(t, "slave(1)")
	pinged := make(chan struct{}, 100)
	agent.On("mesos.internal.PingSlaveMessage", func(m testbed.Message) {
		agent.Send(m.From, "mesos.internal.PongSlaveMessage", &messages.PongSlaveMessage{})
		select {
		case pinged <- struct{}{}:
		default:
		}
	})
	info := &mesos.AgentInfo{
		Hostname: new("foreign"), Port: new(int32(5051)),
		Resources: []*mesos.Resource{
			{Name: new("cpus"), Type: mesos.Value_SCALAR.Enum(), Scalar: &mesos.Value_Scalar{Value: new(2.0)}, Role: new("*")},
			{Name: new("mem"), Type: mesos.Value_SCALAR.Enum(), Scalar: &mesos.Value_Scalar{Value: new(1024.0)}, Role: new("*")},
		},
	}
	var capabilities []*mesos.AgentInfo_Capability
	for _, c := range []mesos.AgentInfo_Capability_Type{mesos.AgentInfo_Capability_MULTI_ROLE, mesos.AgentInfo_Capability_HIERARCHICAL_ROLE,
		mesos.AgentInfo_Capability_RESERVATION_REFINEMENT, mesos.AgentInfo_Capability_RESOURCE_PROVIDER} {
		capabilities = append(capabilities, &mesos.AgentInfo_Capability{Type: c.Enum()})
	}
	agent.Send(pid, "mesos.internal.RegisterSlaveMessage", &messages.RegisterSlaveMessage{
		Slave: info, Version: new("1.11.0"), AgentCapabilities: capabilities, ResourceVersionUuid: &mesos.UUID{Value: uuid(1)},
	})
	var registered messages.SlaveRegisteredMessage
	agent.Receive("mesos.internal.SlaveRegisteredMessage", &registered)
	if got := registered.GetConnection().GetTotalPingTimeoutSeconds(); got != 5 {
		t.Errorf("total ping timeout: got %v, want 5: five pings of a second", got)
	}
	agentID := registered.GetSlaveId()

	framework := testbed.Subscribe(t, master, testbed.FrameworkOptions{})
	offer := framework.Offer()
	if got := offer.At("hostname").Text(); got != "foreign" {
		t.Errorf("hostname: %q", got)
	}
	framework.Accept(offer, testbed.Launch(testbed.Task(offer, "task", "true")))
	var run messages.RunTaskMessage
	agent.Receive("mesos.internal.RunTaskMessage", &run)
	if run.GetTask().GetTaskId().GetValue() != "task" || run.GetFramework().GetId().GetValue() != framework.ID {
		t.Errorf("RunTaskMessage: %v", &run)
	}
	for _, resource := range run.GetTask().GetResources() {
		if resource.GetAllocationInfo().GetRole() != "*" {
			t.Errorf("a resource without allocation: %v", resource)
		}
	}
	update := func(n byte, state mesos.TaskState) {
		t.Helper()
		frameworkID := &mesos.FrameworkID{Value: new(framework.ID)}
		status := &mesos.TaskStatus{TaskId: run.GetTask().GetTaskId(), State: state.Enum(), Uuid: uuid(n), AgentId: agentID,
			Source: mesos.TaskStatus_SOURCE_EXECUTOR.Enum(), Timestamp: new(float64(time.Now().Unix()))}
		agent.Send(pid, "mesos.internal.StatusUpdateMessage", &messages.StatusUpdateMessage{Pid: new(agent.PID), Update: &messages.StatusUpdate{
			FrameworkId: frameworkID, ExecutorId: &mesos.ExecutorID{Value: new("task")}, SlaveId: agentID, Status: status,
			Timestamp: status.Timestamp, Uuid: uuid(n), LatestState: state.Enum(),
		}})
		framework.Follow("task", state.String())
		var acknowledged messages.StatusUpdateAcknowledgementMessage
		agent.Receive("mesos.internal.StatusUpdateAcknowledgementMessage", &acknowledged)
		if got := acknowledged.GetUuid(); string(got) != string(uuid(n)) {
			t.Errorf("acknowledged uuid: %x", got)
		}
	}
	update(2, mesos.TaskState_TASK_RUNNING)
	framework.Call("KILL", testbed.Object{"task_id": id("task")})
	var kill messages.KillTaskMessage
	agent.Receive("mesos.internal.KillTaskMessage", &kill)
	update(3, mesos.TaskState_TASK_KILLED)

	select {
	case <-pinged:
	case <-time.After(testbed.Patience):
		t.Error("no ping")
	}
	agent.Close()
	testbed.Eventually(t, "the agent is disconnected", func() error {
		slave := master.Get("/slaves").At("slaves").Find(agentID.GetValue(), "id")
		if slave.At("active").True() {
			return errorOf(slave)
		}
		return nil
	})
}

// Our agent with a master that isn't ours: registration, a task, retries of its
// updates until they are acknowledged, and what pings without connection ask for.
func TestForeignMaster(t *testing.T) {
	master := testbed.NewPeer(t, "master")
	_, address, _ := strings.Cut(master.PID, "@")
	agent := testbed.StartAgent(t, address, testbed.Posix)
	pid := "slave(1)@" + agent.Address

	var register messages.RegisterSlaveMessage
	if from := master.Receive("mesos.internal.RegisterSlaveMessage", &register).From; from != pid {
		t.Errorf("the agent registers as %q, want %q", from, pid)
	}
	if got := register.GetVersion(); got != "1.11.0" {
		t.Errorf("version: %q", got)
	}
	if len(register.GetResourceVersionUuid().GetValue()) != 16 || len(register.GetAgentCapabilities()) == 0 {
		t.Errorf("registration: %v", &register)
	}
	agentID := &mesos.AgentID{Value: new("foreign-S0")}
	master.Send(pid, "mesos.internal.SlaveRegisteredMessage", &messages.SlaveRegisteredMessage{
		SlaveId: agentID, Connection: &messages.MasterSlaveConnection{TotalPingTimeoutSeconds: new(75.0)},
	})
	var updated messages.UpdateSlaveMessage
	master.Receive("mesos.internal.UpdateSlaveMessage", &updated)
	if updated.GetSlaveId().GetValue() != "foreign-S0" {
		t.Errorf("UpdateSlaveMessage: %v", &updated)
	}

	frameworkID := &mesos.FrameworkID{Value: new("foreign-0000")}
	framework := nativeInfo("foreign")
	framework.Id, framework.Role = frameworkID, new("*")
	task := nativeTask(&mesos.Offer{AgentId: agentID}, "task", "echo from afar; sleep 1")
	for _, r := range task.GetResources() {
		r.Role, r.AllocationInfo = new("*"), &mesos.Resource_AllocationInfo{Role: new("*")}
	}
	master.Send(pid, "mesos.internal.RunTaskMessage", &messages.RunTaskMessage{
		Framework: framework, FrameworkId: frameworkID, Task: task, Pid: new(""), LaunchExecutor: new(true),
		ResourceVersionUuids: []*messages.ResourceVersionUUID{{Uuid: register.GetResourceVersionUuid()}},
	})
	for _, want := range whole {
		var m messages.StatusUpdateMessage
		master.Receive("mesos.internal.StatusUpdateMessage", &m)
		if got := m.GetUpdate().GetStatus().GetState(); got != want {
			t.Fatalf("update: %v, want %v", m.GetUpdate(), want)
		}
		if m.GetPid() != pid {
			t.Errorf("pid of the update: %q", m.GetPid())
		}
		master.Send(pid, "mesos.internal.StatusUpdateAcknowledgementMessage", &messages.StatusUpdateAcknowledgementMessage{
			SlaveId: agentID, FrameworkId: frameworkID, TaskId: task.GetTaskId(), Uuid: m.GetUpdate().GetUuid(),
		})
	}

	master.Send(pid, "mesos.internal.PingSlaveMessage", &messages.PingSlaveMessage{Connected: new(true)})
	master.Receive("mesos.internal.PongSlaveMessage", &messages.PongSlaveMessage{})
	// The master took it for disconnected: it comes again, with its ID.
	master.Send(pid, "mesos.internal.PingSlaveMessage", &messages.PingSlaveMessage{Connected: new(false)})
	var again messages.ReregisterSlaveMessage
	master.Receive("mesos.internal.ReregisterSlaveMessage", &again)
	if again.GetSlave().GetId().GetValue() != "foreign-S0" {
		t.Errorf("registration again: %v", &again)
	}
	master.Send(pid, "mesos.internal.ShutdownMessage", &messages.ShutdownMessage{Message: new("enough")})
	agent.AwaitEnd()
}
