package scheduler

import (
	"fmt"
	"testing"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// accept accepts offers for operations.
func accept(f *testbed.Framework, ids []testbed.Value, operations ...any) {
	var offers list
	for _, id := range ids {
		offers = append(offers, id.Raw())
	}
	f.Call("ACCEPT", object{"offer_ids": offers, "operations": operations, "filters": object{"refuse_seconds": 0.0}})
}

// TestInvalidOffers: whatever is wrong with the offers of an ACCEPT, its tasks
// are dropped, and lost for who is not partition-aware; its own offers come back.
func TestInvalidOffers(t *testing.T) {
	inBoth(t, func(t *testing.T, e testbed.Encoding) {
		for state, capability := range map[string]string{"TASK_DROPPED": "PARTITION_AWARE", "TASK_LOST": "REVOCABLE_RESOURCES"} {
			t.Run(state, func(t *testing.T) {
				master := testbed.StartMaster(t, "--registry=in_memory")
				startAgent(t, master)
				info := object{"capabilities": capabilities("MULTI_ROLE", capability)}
				f := testbed.Subscribe(t, master, testbed.FrameworkOptions{Encoding: e, Info: info})
				foreign := f.Offer()
				f.Call("SUPPRESS", nil) // the other agents are for the other framework
				other := testbed.Subscribe(t, master, testbed.FrameworkOptions{Encoding: e, Info: info})
				startAgent(t, master)
				own := other.Offer()
				startAgent(t, master)
				third := other.Offer()
				id := func(o testbed.Value) testbed.Value { return o.At("id") }
				for _, tt := range []struct { // in this order: the third takes what the last names
					name   string
					offers []testbed.Value
				}{
					{"none", nil}, {"foreign", []testbed.Value{id(foreign)}},
					{"of two agents", []testbed.Value{id(own), id(third)}}, {"gone", []testbed.Value{id(own)}},
				} {
					accept(other, tt.offers, testbed.Launch(testbed.Task(foreign, tt.name, "true")))
					s := other.Update(tt.name, state)
					if s.At("reason").Text() != "REASON_INVALID_OFFERS" || s.At("source").Text() != "SOURCE_MASTER" || s.At("uuid").Exists() {
						t.Errorf("%s: status %v", tt.name, s)
					}
				}
				other.Offer() // what was its own is offered again
				f.Accept(foreign, testbed.Launch(testbed.Task(foreign, "fine", "true")))
				f.Never(short, "the foreign offer is touched", testbed.Type("UPDATE"))
			})
		}
	})
}

// TestInvalidTasks: one task that is wrong does not keep the others back, but
// for a group's.
func TestInvalidTasks(t *testing.T) {
	inBoth(t, func(t *testing.T, e testbed.Encoding) {
		master := testbed.StartMaster(t, "--registry=in_memory")
		a := startAgent(t, master)
		f := testbed.Subscribe(t, master, testbed.FrameworkOptions{Encoding: e})
		offer := f.Offer()
		greedy := testbed.Task(offer, "greedy", "true")
		greedy["resources"] = list{testbed.Scalar("cpus", 100)}
		idle := testbed.Task(offer, "idle", "true")
		delete(idle, "command")
		elsewhere := testbed.Task(offer, "elsewhere", "true")
		elsewhere["agent_id"] = object{"value": "somewhere"}
		fine := testbed.Task(offer, "fine", "true")
		f.Accept(offer, testbed.Launch(greedy, idle, fine, elsewhere, fine))
		for _, id := range []string{"greedy", "idle", "elsewhere", "fine"} {
			s := f.Update(id, "TASK_ERROR")
			if s.At("reason").Text() != "REASON_TASK_INVALID" || s.At("message").Text() == "" {
				t.Errorf("%s: status %v", id, s)
			}
		}
		run := a.launched()
		if got := run.GetTask().GetTaskId().GetValue(); got != "fine" {
			t.Errorf("the agent gets %q", got)
		}
		offer = f.Offer()
		f.Accept(offer, object{"type": "LAUNCH_GROUP", "launch_group": object{
			"executor": object{"type": "DEFAULT", "executor_id": object{"value": "e"}, "framework_id": object{"value": f.ID},
				"resources": list{testbed.Scalar("cpus", 0.1), testbed.Scalar("mem", 32), testbed.Scalar("disk", 32)}},
			"task_group": object{"tasks": list{testbed.Task(offer, "good", "true"), testbed.Task(offer, "fine", "true")}},
		}})
		for _, id := range []string{"good", "fine"} {
			if s := f.Update(id, "TASK_ERROR"); s.At("reason").Text() != "REASON_TASK_GROUP_INVALID" {
				t.Errorf("%s of the group: %v", id, s)
			}
		}
		f.Offer()
	})
}

// TestOffersTogether: several offers of one agent in one ACCEPT, for a group
// whose tasks need more than one of them has.
func TestOffersTogether(t *testing.T) {
	inBoth(t, func(t *testing.T, e testbed.Encoding) {
		master := testbed.StartMaster(t, "--registry=in_memory")
		a := startAgent(t, master)
		f := testbed.Subscribe(t, master, testbed.FrameworkOptions{Encoding: e})
		first := f.Offer()
		half := testbed.Task(first, "half", "true")
		half["resources"] = list{testbed.Scalar("cpus", 2), testbed.Scalar("mem", 32)}
		f.Accept(first, testbed.Launch(half))
		run := a.launched()
		rest := f.Offer()
		acknowledge(t, f, a, "half", "TASK_FINISHED", a.update(run, mesos.TaskState_TASK_FINISHED))
		second := f.Offer()
		big := func(id string) object {
			task := testbed.Task(rest, id, "true")
			task["resources"] = list{testbed.Scalar("cpus", 1.9), testbed.Scalar("mem", 32)}
			return task
		}
		accept(f, []testbed.Value{rest.At("id"), second.At("id")}, object{"type": "LAUNCH_GROUP", "launch_group": object{
			"executor": object{"type": "DEFAULT", "executor_id": object{"value": "e"}, "framework_id": object{"value": f.ID},
				"resources": list{testbed.Scalar("cpus", 0.2), testbed.Scalar("mem", 32), testbed.Scalar("disk", 32)}},
			"task_group": object{"tasks": list{big("one"), big("two")}},
		}})
		var group messages.RunTaskGroupMessage
		a.Receive(internal+"RunTaskGroupMessage", &group)
		if tasks := group.GetTaskGroup().GetTasks(); len(tasks) != 2 || group.GetExecutor().GetExecutorId().GetValue() != "e" || !group.GetLaunchExecutor() {
			t.Errorf("the agent gets %v", &group)
		}
		if metrics := master.Get("/metrics/snapshot"); metrics.At("master/cpus_used").Number() != 4 {
			t.Errorf("%g cpus are used", metrics.At("master/cpus_used").Number())
		}
	})
}

// TestExecutorCalls: MESSAGE goes down and up, SHUTDOWN and the KILL's policy
// reach the agent, and the end of an executor its framework.
func TestExecutorCalls(t *testing.T) {
	inBoth(t, func(t *testing.T, e testbed.Encoding) {
		master := testbed.StartMaster(t, "--registry=in_memory")
		a := startAgent(t, master)
		f := testbed.Subscribe(t, master, testbed.FrameworkOptions{Encoding: e})
		offer := f.Offer()
		task := testbed.Task(offer, "one", "true")
		delete(task, "command")
		task["executor"] = object{"executor_id": object{"value": "e"}, "command": object{"value": "run"}}
		f.Accept(offer, testbed.Launch(task))
		run := a.launched()
		at := object{"agent_id": object{"value": a.id.GetValue()}, "executor_id": object{"value": "e"}}
		f.Call("MESSAGE", object{"agent_id": at["agent_id"], "executor_id": at["executor_id"], "data": "aGk="})
		var down messages.FrameworkToExecutorMessage
		a.Receive(internal+"FrameworkToExecutorMessage", &down)
		a.Send(a.master, internal+"ExecutorToFrameworkMessage", &messages.ExecutorToFrameworkMessage{
			SlaveId: a.id, FrameworkId: down.FrameworkId, ExecutorId: down.ExecutorId, Data: append(down.Data, '!')})
		if got := f.Await("MESSAGE", testbed.Type("MESSAGE")).At("message", "data").Text(); got != "aGkh" {
			t.Errorf("the answer is %q", got)
		}
		f.Call("KILL", object{"task_id": object{"value": "one"}, "kill_policy": object{"grace_period": object{"nanoseconds": 7}}})
		var kill messages.KillTaskMessage
		a.Receive(internal+"KillTaskMessage", &kill)
		if kill.GetKillPolicy().GetGracePeriod().GetNanoseconds() != 7 {
			t.Errorf("the agent is told %v", &kill)
		}
		f.Call("SHUTDOWN", at)
		var shutdown messages.ShutdownExecutorMessage
		a.Receive(internal+"ShutdownExecutorMessage", &shutdown)
		a.exited(run, 9)
		failure := f.Await("FAILURE", testbed.Type("FAILURE")).At("failure")
		if failure.At("executor_id", "value").Text() != "e" || failure.At("status").Number() != 9 {
			t.Errorf("FAILURE %v", failure)
		}
	})
}

// TestReconciliation: what a framework is told of tasks here, elsewhere and
// nowhere.
func TestReconciliation(t *testing.T) {
	inBoth(t, func(t *testing.T, e testbed.Encoding) {
		master := testbed.StartMaster(t, "--registry=in_memory")
		a := startAgent(t, master)
		f := testbed.Subscribe(t, master, testbed.FrameworkOptions{Encoding: e})
		f.Run("one", "true")
		run := a.launched()
		f.Call("RECONCILE", object{})
		f.Update("one", "TASK_STAGING")
		a.update(run, mesos.TaskState_TASK_RUNNING)
		f.Update("one", "TASK_RUNNING")
		here, nowhere := object{"value": a.id.GetValue()}, object{"value": "nowhere"}
		for i, c := range []struct {
			task  object
			state string
		}{
			{object{"task_id": object{"value": "one"}}, "TASK_RUNNING"},
			{object{"task_id": object{"value": "one"}, "agent_id": nowhere}, "TASK_RUNNING"},
			{object{"task_id": object{"value": "x"}, "agent_id": here}, "TASK_GONE"},
			{object{"task_id": object{"value": "x"}, "agent_id": nowhere}, "TASK_UNKNOWN"},
			{object{"task_id": object{"value": "x"}}, "TASK_UNKNOWN"},
		} {
			t.Run(fmt.Sprint(i, c.state), func(t *testing.T) {
				f.Call("RECONCILE", object{"tasks": list{c.task}})
				s := f.Update(c.task["task_id"].(object)["value"].(string), c.state)
				if s.At("reason").Text() != "REASON_RECONCILIATION" || s.At("uuid").Exists() {
					t.Errorf("status %v", s)
				}
			})
		}
	})
}
