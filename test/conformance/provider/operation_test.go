package provider

import (
	"testing"

	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// What became of an operation on the agent's own resources is on its disk until
// it is acknowledged: an agent that was killed tells it again, and only then.
func TestOwnOperation(t *testing.T) {
	master := testbed.StartMaster(t)
	agent := testbed.StartAgent(t, master.Address, testbed.Posix)
	f := testbed.Subscribe(t, master, testbed.FrameworkOptions{Info: frameworkInfo})
	defer f.Call("TEARDOWN", nil)
	h := &house{t: t, master: master, agent: agent}
	reserved := with(testbed.Scalar("cpus", 1), object{"reservations": reservation("web")})
	f.Accept(f.Offer(), named("reserve", "RESERVE", "reserve", object{"resources": list{reserved}}))
	status := func() testbed.Value {
		return f.Await("the outcome", testbed.Type("UPDATE_OPERATION_STATUS")).At("update_operation_status", "status")
	}
	first := status()
	agent.Kill()
	agent.Start()
	again := status()
	if first.String() != again.String() {
		t.Errorf("the outcome is told as %v, then as %v", first, again)
	}
	if again.At("agent_id", "value").Text() == "" || again.At("state").Text() != "OPERATION_FINISHED" {
		t.Errorf("the outcome is %v", again)
	}
	h.awaitOperations(1)
	acknowledge := object{
		"agent_id": again.At("agent_id").Raw(), "operation_id": object{"value": "reserve"}, "uuid": again.At("uuid", "value").Raw(),
	}
	f.Call("ACKNOWLEDGE_OPERATION_STATUS", acknowledge)
	h.awaitOperations(0)
	f.Call("ACKNOWLEDGE_OPERATION_STATUS", acknowledge) // again is no harm
	agent.Kill()
	agent.Start()
	h.awaitRegistered()
	h.awaitOperations(0)
	if got := agent.Get("/state").At("reserved_resources", "web", "cpus").Number(); got != 1 {
		t.Errorf("%v cpus are reserved", got)
	}
}
