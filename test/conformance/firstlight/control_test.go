package firstlight

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

func id(value string) testbed.Object { return testbed.Object{"value": value} }

// inBoth runs a test in JSON and in protobuf.
func inBoth(t *testing.T, test func(t *testing.T, o testbed.FrameworkOptions)) {
	for _, encoding := range []testbed.Encoding{testbed.JSON, testbed.Protobuf} {
		t.Run(string(encoding), func(t *testing.T) { test(t, testbed.FrameworkOptions{Encoding: encoding}) })
	}
}

func TestKill(t *testing.T) { inBoth(t, testKill) }

func testKill(t *testing.T, o testbed.FrameworkOptions) {
	master := testbed.StartMaster(t)
	testbed.StartAgent(t, master.Address, testbed.Posix)
	framework := testbed.Subscribe(t, master, o)
	sleeper := testbed.NewSleeper()
	framework.Run("killed", sleeper.Command())
	framework.Follow("killed", "TASK_STARTING", "TASK_RUNNING")
	sleeper.PID(t)
	framework.Call("KILL", testbed.Object{"task_id": id("killed")})
	framework.Follow("killed", "TASK_KILLED")
	sleeper.AwaitEnd(t)

	t.Run("after its grace period", func(t *testing.T) {
		stubborn := testbed.NewSleeper()
		offer := framework.Offer()
		task := testbed.Task(offer, "stubborn", "trap '' TERM; "+stubborn.Command()+" & while true; do wait; done")
		task["kill_policy"] = testbed.Object{"grace_period": testbed.Object{"nanoseconds": int64(time.Second)}}
		framework.Accept(offer, testbed.Launch(task))
		framework.Follow("stubborn", "TASK_STARTING", "TASK_RUNNING")
		begin := time.Now()
		framework.Call("KILL", testbed.Object{"task_id": id("stubborn")})
		_, end := framework.AwaitUpdate("stubborn", "TASK_KILLED")
		if took := end.Sub(begin); took < 900*time.Millisecond || took > 30*time.Second {
			t.Errorf("killed after %v, with a grace period of a second", took)
		}
		stubborn.AwaitEnd(t)
	})
	t.Run("unknown", func(t *testing.T) {
		framework.Call("KILL", testbed.Object{"task_id": id("nobody")})
		status := framework.Update("nobody", "TASK_UNKNOWN")
		if status.At("uuid").Exists() || status.At("reason").Text() != "REASON_RECONCILIATION" {
			t.Errorf("answer of the master: %v", status)
		}
	})
}

func TestTeardown(t *testing.T) {
	master := testbed.StartMaster(t)
	testbed.StartAgent(t, master.Address, testbed.Posix)
	tests := map[string]func(*testing.T, *testbed.Framework){
		"by the framework": func(_ *testing.T, f *testbed.Framework) { f.Call("TEARDOWN", nil) },
		"by an operator": func(t *testing.T, f *testbed.Framework) {
			body := "frameworkId=" + url.QueryEscape(f.ID)
			answer := testbed.Do(t, http.MethodPost, master.URL("/master/teardown"), nil, []byte(body))
			if answer.Status != http.StatusOK {
				t.Errorf("POST /master/teardown: %d %s", answer.Status, answer.Text())
			}
		},
	}
	for name, teardown := range tests {
		t.Run(name, func(t *testing.T) {
			framework := testbed.Subscribe(t, master, testbed.FrameworkOptions{})
			sleeper := testbed.NewSleeper()
			framework.Run("orphan", sleeper.Command())
			framework.Follow("orphan", "TASK_STARTING", "TASK_RUNNING")
			sleeper.PID(t)
			teardown(t, framework)
			framework.AwaitEnd()
			sleeper.AwaitEnd(t)
			completed := master.Get("/frameworks").At("completed_frameworks").Find(framework.ID, "id")
			if !completed.Exists() || completed.At("active").True() {
				t.Errorf("completed framework: %v", completed)
			}
			if stream, answer := framework.TrySubscribe(); stream != nil {
				stream.Await("ERROR for a completed framework", testbed.Type("ERROR"))
				stream.AwaitEnd()
			} else {
				t.Errorf("SUBSCRIBE of a completed framework: %d %s", answer.Status, answer.Text())
			}
		})
	}
}

func TestReconcile(t *testing.T) { inBoth(t, testReconcile) }

func testReconcile(t *testing.T, o testbed.FrameworkOptions) {
	master := testbed.StartMaster(t)
	testbed.StartAgent(t, master.Address, testbed.Posix)
	framework := testbed.Subscribe(t, master, o)
	plain := testbed.Subscribe(t, master, testbed.FrameworkOptions{Info: testbed.Object{"capabilities": nil, "roles": nil, "role": "plain"}})
	framework.Call("SUPPRESS", nil)
	framework.Call("REVIVE", nil)
	framework.Run("known", testbed.NewSleeper().Command())
	framework.Follow("known", "TASK_STARTING", "TASK_RUNNING")

	framework.Call("RECONCILE", testbed.Object{"tasks": testbed.List{}})
	if status := framework.Update("known", "TASK_RUNNING"); status.At("uuid").Exists() || status.At("source").Text() != "SOURCE_MASTER" {
		t.Errorf("answer of an implicit reconciliation: %v", status)
	}
	ask := testbed.Object{"tasks": testbed.List{testbed.Object{"task_id": id("unknown")}}}
	framework.Call("RECONCILE", ask)
	framework.Update("unknown", "TASK_UNKNOWN")
	plain.Call("RECONCILE", ask)
	plain.Update("unknown", "TASK_LOST")
}

func TestSecondSubscription(t *testing.T) { inBoth(t, testSecondSubscription) }

func testSecondSubscription(t *testing.T, o testbed.FrameworkOptions) {
	master := testbed.StartMaster(t)
	testbed.StartAgent(t, master.Address, testbed.Posix)
	framework := testbed.Subscribe(t, master, o)
	framework.Offer()
	first, stale := framework.Stream, framework.StreamID
	framework.Resubscribe()
	first.Await("ERROR on the first stream", testbed.Type("ERROR"))
	first.AwaitEnd()
	if framework.StreamID == stale {
		t.Error("the second stream has the ID of the first")
	}
	// What was offered to the first is offered again.
	framework.Run("task", "true")
	framework.Follow("task", "TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED")

	current := framework.StreamID
	framework.StreamID = stale
	if answer := framework.Send(testbed.Object{"type": "REVIVE"}); answer.Status != http.StatusBadRequest {
		t.Errorf("a call with the first stream's ID: %d %s", answer.Status, answer.Text())
	}
	framework.StreamID = current
	framework.Call("REVIVE", nil)
}

func TestDeclineSuppressRevive(t *testing.T) {
	master := testbed.StartMaster(t)
	testbed.StartAgent(t, master.Address, testbed.Posix)
	framework := testbed.Subscribe(t, master, testbed.FrameworkOptions{})
	offer := framework.Offer()
	framework.Call("DECLINE", testbed.Object{"offer_ids": testbed.List{offer.At("id").Raw()}, "filters": testbed.Object{"refuse_seconds": 3600.0}})
	framework.Never(2*time.Second, "an offer in spite of a filter", testbed.Type("OFFERS"))
	framework.Call("REVIVE", nil)
	offer = framework.Offer()
	framework.Call("SUPPRESS", nil)
	framework.Call("DECLINE", testbed.Object{"offer_ids": testbed.List{offer.At("id").Raw()}, "filters": testbed.Object{"refuse_seconds": 0.0}})
	framework.Never(2*time.Second, "an offer in spite of SUPPRESS", testbed.Type("OFFERS"))
	framework.Call("REVIVE", nil)
	framework.Offer()
}

// allocation_info is stripped for frameworks without MULTI_ROLE, and added to
// what they send.
func TestPlainFramework(t *testing.T) {
	master := testbed.StartMaster(t)
	testbed.StartAgent(t, master.Address, testbed.Posix)
	multi := testbed.Subscribe(t, master, testbed.FrameworkOptions{})
	offer := multi.Offer()
	if got := offer.At("allocation_info", "role").Text(); got != "*" {
		t.Errorf("allocation_info of an offer: %v", offer)
	}
	for _, resource := range offer.At("resources").List() {
		if resource.At("allocation_info", "role").Text() != "*" {
			t.Errorf("allocation_info of a resource: %v", resource)
		}
	}
	multi.Call("TEARDOWN", nil)

	plain := testbed.Subscribe(t, master, testbed.FrameworkOptions{Info: testbed.Object{"capabilities": nil, "roles": nil, "role": "plain"}})
	offer = plain.Offer()
	if strings.Contains(offer.String(), "allocation_info") {
		t.Errorf("an offer to a plain framework has allocation_info: %v", offer)
	}
	plain.Accept(offer, testbed.Launch(testbed.Task(offer, "task", "true")))
	plain.Follow("task", "TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED")
}

// An agent that doesn't return in time is unreachable, and its tasks too.
func TestAgentStaysAway(t *testing.T) {
	master := testbed.StartMaster(t, "--agent_ping_timeout=1secs", "--max_agent_ping_timeouts=2")
	agent := testbed.StartAgent(t, master.Address, testbed.Posix)
	framework := testbed.Subscribe(t, master, testbed.FrameworkOptions{Info: testbed.Object{"checkpoint": true}})
	sleeper := testbed.NewSleeper()
	framework.Run("away", sleeper.Command())
	framework.Follow("away", "TASK_STARTING", "TASK_RUNNING")
	agent.Kill()
	status := framework.Update("away", "TASK_UNREACHABLE")
	if got := status.At("reason").Text(); got != "REASON_SLAVE_REMOVED" && got != "REASON_AGENT_REMOVED" {
		t.Errorf("reason: %v", status)
	}
	framework.Await("FAILURE of the agent", testbed.Type("FAILURE"))
	agent.Start()
	testbed.Eventually(t, "the task is known again", func() error {
		framework.Call("RECONCILE", testbed.Object{"tasks": testbed.List{testbed.Object{"task_id": id("away")}}})
		status := framework.Await("an answer", func(v testbed.Value) bool { return v.At("type").Text() == "UPDATE" })
		if got := status.At("update", "status", "state").Text(); got != "TASK_RUNNING" {
			return fmt.Errorf("it is %s", got)
		}
		return nil
	})
	sleeper.PID(t)
}

// UPDATE_FRAMEWORK changes what may change, and says what may not.
func TestUpdateFramework(t *testing.T) {
	master := testbed.StartMaster(t)
	framework := testbed.Subscribe(t, master, testbed.FrameworkOptions{})
	update := func(user string) testbed.Answer {
		return framework.Send(testbed.Object{"type": "UPDATE_FRAMEWORK", "update_framework": testbed.Object{"framework_info": testbed.Object{
			"id": id(framework.ID), "user": user, "name": "renamed", "roles": testbed.List{"a", "b"}, "failover_timeout": 60.0,
			"capabilities": testbed.List{testbed.Object{"type": "MULTI_ROLE"}},
		}}})
	}
	if answer := update("root"); answer.Status != http.StatusOK {
		t.Errorf("UPDATE_FRAMEWORK: %d %s", answer.Status, answer.Text())
	}
	shown := master.Get("/frameworks").At("frameworks").Find(framework.ID, "id")
	if got := shown.At("name").Text(); got != "renamed" || len(shown.At("roles").List()) != 2 {
		t.Errorf("/frameworks: %v", shown)
	}
	if answer := update("nobody"); answer.Status != http.StatusBadRequest || !strings.Contains(answer.Text(), "user") {
		t.Errorf("UPDATE_FRAMEWORK of the user: %d %s", answer.Status, answer.Text())
	}
}

// An operation that nobody knows is unknown.
func TestReconcileOperations(t *testing.T) {
	master := testbed.StartMaster(t)
	framework := testbed.Subscribe(t, master, testbed.FrameworkOptions{})
	framework.Call("RECONCILE_OPERATIONS", testbed.Object{"operations": testbed.List{testbed.Object{"operation_id": id("nothing")}}})
	event := framework.Await("an answer", testbed.Type("UPDATE_OPERATION_STATUS"))
	status := event.At("update_operation_status", "status")
	if status.At("operation_id", "value").Text() != "nothing" || status.At("state").Text() != "OPERATION_UNKNOWN" {
		t.Errorf("answer: %v", event)
	}
}
