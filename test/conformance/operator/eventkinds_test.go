package operator

import (
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// TestAgentAndFrameworkEvents: subscribers hear of agents and frameworks that come, change
// and go, in both encodings, and not of those that only lose their connection.
func TestAgentAndFrameworkEvents(t *testing.T) {
	master := testbed.StartMaster(t)
	streams := map[testbed.Encoding]*testbed.Stream{}
	for _, e := range encodings {
		streams[e] = watchEvents(t, master, e)
		streams[e].Await("SUBSCRIBED", testbed.Type("SUBSCRIBED"))
	}
	all := func(kind string, check func(t *testing.T, event testbed.Value)) {
		t.Helper()
		for e, s := range streams {
			event := s.Await(kind, testbed.Type(kind)).At(strings.ToLower(kind))
			t.Run(kind+" in "+string(e), func(t *testing.T) { check(t, event) })
		}
	}
	none := func(what string, kinds ...string) {
		t.Helper()
		for _, s := range streams {
			for _, kind := range kinds {
				s.Never(300*time.Millisecond, what, testbed.Type(kind))
			}
		}
	}
	text := func(t *testing.T, v testbed.Value, want string, path ...any) {
		t.Helper()
		if got := v.At(path...).Text(); got != want {
			t.Errorf("%v is %q, want %q: %v", path, got, want, v)
		}
	}
	one := testbed.StartAgent(t, master.Address, testbed.Posix, "--resources=cpus:1;mem:64;disk:64;ports:[]", "--attributes=rack:a")
	var id string
	all("AGENT_ADDED", func(t *testing.T, added testbed.Value) {
		agent := added.At("agent")
		id = agent.At("agent_info", "id", "value").Text()
		text(t, agent, "localhost", "agent_info", "hostname")
		text(t, agent, "rack", "agent_info", "attributes", 0, "name")
		text(t, agent, "1.11.0", "version")
		text(t, agent, "slave(1)@127.0.0.1:"+one.Port(), "pid")
		for _, path := range []string{"registered_time", "total_resources", "capabilities"} {
			if !agent.At(path).Exists() {
				t.Errorf("no %s in %v", path, agent)
			}
		}
		if !agent.At("active").True() {
			t.Errorf("agent %v is not active", agent)
		}
	})
	testbed.Eventually(t, "the agent has its ID on disk", func() error { // it says so when it has
		if !strings.Contains(one.Log(), `"msg":"registered"`) {
			return errors.New("it has not")
		}
		return nil
	})
	// Starting again is not coming again.
	one.Kill()
	one.Start()
	awaitAgents(t, master, 1)
	none("an agent that came back", "AGENT_ADDED", "AGENT_REMOVED")

	f := testbed.Subscribe(t, master, testbed.FrameworkOptions{Info: object{"failover_timeout": 3600.0, "principal": "p"}})
	all("FRAMEWORK_ADDED", func(t *testing.T, added testbed.Value) {
		framework := added.At("framework")
		text(t, framework, f.ID, "framework_info", "id", "value")
		text(t, framework, "p", "framework_info", "principal")
		for _, flag := range []string{"active", "connected"} {
			if !framework.At(flag).True() {
				t.Errorf("not %s: %v", flag, framework)
			}
		}
		if framework.At("recovered").True() || !framework.At("registered_time").Exists() {
			t.Errorf("framework %v", framework)
		}
	})
	info := object{"user": "root", "name": "renamed", "failover_timeout": 3600.0, "principal": "p", "id": object{"value": f.ID},
		"capabilities": list{object{"type": "MULTI_ROLE"}, object{"type": "PARTITION_AWARE"}}, "roles": list{"*"}, "webui_url": "http://x"}
	if answer := f.Send(object{"type": "UPDATE_FRAMEWORK", "framework_id": object{"value": f.ID}, "update_framework": object{"framework_info": info}}); answer.Status != 200 {
		t.Fatalf("UPDATE_FRAMEWORK: %d %s", answer.Status, answer.Text())
	}
	all("FRAMEWORK_UPDATED", func(t *testing.T, updated testbed.Value) {
		text(t, updated.At("framework"), "http://x", "framework_info", "webui_url")
	})
	f.Stream.Close()
	testbed.Eventually(t, "the framework is disconnected", func() error {
		if master.Get("/frameworks").At("frameworks", 0, "connected").True() {
			return errors.New("it is not")
		}
		return nil
	})
	none("a framework that lost its connection", "FRAMEWORK_UPDATED", "FRAMEWORK_REMOVED")
	f.Resubscribe()
	all("FRAMEWORK_UPDATED", func(t *testing.T, updated testbed.Value) {
		text(t, updated.At("framework"), f.ID, "framework_info", "id", "value")
		if !updated.At("framework", "connected").True() || !updated.At("framework", "reregistered_time").Exists() {
			t.Errorf("framework %v", updated)
		}
	})
	f.Call("TEARDOWN", nil)
	all("FRAMEWORK_REMOVED", func(t *testing.T, removed testbed.Value) {
		text(t, removed, f.ID, "framework_info", "id", "value")
	})

	one.Signal(syscall.SIGUSR1) // it unregisters
	one.AwaitEnd()
	all("AGENT_REMOVED", func(t *testing.T, removed testbed.Value) { text(t, removed, id, "agent_id", "value") })

	two := testbed.StartAgent(t, master.Address, testbed.Posix)
	all("AGENT_ADDED", func(_ *testing.T, added testbed.Value) { id = added.At("agent", "agent_info", "id", "value").Text() })
	if answer := master.Operator(object{"type": "MARK_AGENT_GONE", "mark_agent_gone": object{"agent_id": object{"value": id}}}); answer.Status != 200 {
		t.Fatalf("MARK_AGENT_GONE: %d %s", answer.Status, answer.Text())
	}
	two.AwaitEnd()
	none("an agent that is gone, for which Mesos has no event", "AGENT_REMOVED")

	three := testbed.StartAgent(t, master.Address, testbed.Posix)
	all("AGENT_ADDED", func(_ *testing.T, added testbed.Value) { id = added.At("agent", "agent_info", "id", "value").Text() })
	c := client{t, master, testbed.JSON}
	c.ok("UPDATE_MAINTENANCE_SCHEDULE", schedule(window(inAnHour(), here)))
	c.ok("START_MAINTENANCE", machines(here))
	all("AGENT_REMOVED", func(t *testing.T, removed testbed.Value) { text(t, removed, id, "agent_id", "value") })
	three.AwaitEnd()
}
