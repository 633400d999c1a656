package scheduler

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"slices"
	"testing"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

type (
	object = testbed.Object
	list   = testbed.List
)

var encodings = []testbed.Encoding{testbed.JSON, testbed.Protobuf}

// TestLifeOfATask is the order of events of the whole way of a task, as Mesos
// has it, in both content types.
func TestLifeOfATask(t *testing.T) {
	for _, encoding := range encodings {
		t.Run(string(encoding), func(t *testing.T) {
			master := testbed.StartMaster(t, "--registry=in_memory")
			f := testbed.Subscribe(t, master, testbed.FrameworkOptions{Encoding: encoding, Info: object{"capabilities": list{
				object{"type": "MULTI_ROLE"}, object{"type": "PARTITION_AWARE"}, object{"type": "RESERVATION_REFINEMENT"}}}})
			a := startAgent(t, master)
			f.Run("one", "sleep 1000")
			run := a.launched()
			if got := run.GetTask().GetTaskId().GetValue(); got != "one" {
				t.Fatalf("the agent got task %q", got)
			}
			acknowledge(t, f, a, "one", "TASK_STARTING", a.update(run, mesos.TaskState_TASK_STARTING))
			acknowledge(t, f, a, "one", "TASK_RUNNING", a.update(run, mesos.TaskState_TASK_RUNNING))

			f.Call("KILL", object{"task_id": object{"value": "one"}})
			var kill messages.KillTaskMessage
			a.Receive(internal+"KillTaskMessage", &kill)
			acknowledge(t, f, a, "one", "TASK_KILLED", a.update(run, mesos.TaskState_TASK_KILLED))

			f.Call("RECONCILE", object{"tasks": list{object{"task_id": object{"value": "one"}}}})
			status := f.Update("one", "TASK_UNKNOWN")
			if status.At("reason").Text() != "REASON_RECONCILIATION" || status.At("uuid").Exists() {
				t.Errorf("reconciliation of an unknown task: %v", status)
			}
			if encoding == testbed.JSON {
				checkShapes(t, "scheduler_multi_role.json", f.Events())
			}
			order := slices.Compact(typesOf(f.Events()))
			order = slices.DeleteFunc(order, func(s string) bool { return s == "OFFERS" || s == "HEARTBEAT" })
			if want := []string{"SUBSCRIBED", "UPDATE"}; !slices.Equal(slices.Compact(order), want) {
				t.Errorf("events %v, want %v", order, want)
			}
		})
	}
}

// errStatus is a status that isn't the one that is waited for.
type errStatus int

func (e errStatus) Error() string { return http.StatusText(int(e)) }

func typesOf(events []testbed.Value) []string {
	var types []string
	for _, e := range events {
		types = append(types, e.At("type").Text())
	}
	return types
}

// acknowledge takes an update and acknowledges it; the agent must get that.
func acknowledge(t *testing.T, f *testbed.Framework, a *agent, task, state string, uuid []byte) {
	t.Helper()
	status := f.Update(task, state)
	if got, err := base64.StdEncoding.DecodeString(status.At("uuid").Text()); err != nil || !bytes.Equal(got, uuid) {
		t.Errorf("uuid of the update is %v, want %x", status.At("uuid"), uuid)
	}
	f.Acknowledge(status)
	var ack messages.StatusUpdateAcknowledgementMessage
	a.Receive(internal+"StatusUpdateAcknowledgementMessage", &ack)
	if !bytes.Equal(ack.Uuid, uuid) || ack.GetTaskId().GetValue() != task {
		t.Errorf("the agent got an acknowledgement of %s, %x", ack.GetTaskId().GetValue(), ack.Uuid)
	}
}

func TestStatuses(t *testing.T) {
	master := testbed.StartMaster(t, "--registry=in_memory")
	for _, encoding := range encodings {
		f := testbed.Subscribe(t, master, testbed.FrameworkOptions{Encoding: encoding})
		stranger := object{"value": "somebody"}
		for name, c := range map[string]struct {
			call   object
			status int
		}{
			"REVIVE":            {object{"type": "REVIVE"}, 202},
			"SUPPRESS":          {object{"type": "SUPPRESS"}, 202},
			"RECONCILE":         {object{"type": "RECONCILE", "reconcile": object{}}, 202},
			"KILL":              {object{"type": "KILL", "kill": object{"task_id": object{"value": "nope"}}}, 202},
			"ACCEPT of nothing": {object{"type": "ACCEPT", "accept": object{}}, 202},
			"no payload":        {object{"type": "DECLINE"}, 400},
			"unknown framework": {object{"type": "REVIVE", "framework_id": stranger}, 400},
			"UNKNOWN":           {object{"type": "UNKNOWN"}, 501},
		} {
			t.Run(string(encoding)+"/"+name, func(t *testing.T) {
				if answer := f.Send(c.call); answer.Status != c.status {
					t.Errorf("%d %s, want %d", answer.Status, answer.Text(), c.status)
				}
			})
		}
		t.Run(string(encoding)+"/another stream", func(t *testing.T) {
			f.StreamID = "00000000-0000-0000-0000-000000000000"
			if answer := f.Send(object{"type": "REVIVE"}); answer.Status != 400 {
				t.Errorf("%d %s, want 400", answer.Status, answer.Text())
			}
		})
	}
	for name, c := range map[string]struct {
		header http.Header
		body   string
		status int
	}{
		"no content type":     {http.Header{}, "{}", 400},
		"charset":             {http.Header{"Content-Type": {"application/json; charset=utf-8"}}, "{}", 415},
		"empty body":          {http.Header{"Content-Type": {"application/json"}}, "", 400},
		"bytes":               {http.Header{"Content-Type": {"application/x-protobuf"}}, "\x00\x01\x02", 400},
		"before subscription": {http.Header{"Content-Type": {"application/json"}}, `{"type":"REVIVE"}`, 400},
	} {
		t.Run(name, func(t *testing.T) {
			answer := testbed.Do(t, http.MethodPost, master.URL("/api/v1/scheduler"), c.header, []byte(c.body))
			if answer.Status != c.status || answer.Text() == "" {
				t.Errorf("%d %q, want %d with a reason", answer.Status, answer.Text(), c.status)
			}
		})
	}
}

// TestSingleRole holds what a framework without MULTI_ROLE gets: no
// allocation_info anywhere.
func TestSingleRole(t *testing.T) {
	master := testbed.StartMaster(t, "--registry=in_memory")
	f := testbed.Subscribe(t, master, testbed.FrameworkOptions{Info: object{"roles": nil, "role": "*", "capabilities": nil}})
	startAgent(t, master)
	offer := f.Offer()
	if offer.At("allocation_info").Exists() {
		t.Errorf("the offer has allocation_info: %v", offer)
	}
	for _, r := range offer.At("resources").List() {
		if r.At("allocation_info").Exists() || r.At("role").Text() != "*" {
			t.Errorf("resource %v", r)
		}
	}
	f.Call("RECONCILE", object{"tasks": list{object{"task_id": object{"value": "nope"}}}})
	if status := f.Update("nope", "TASK_LOST"); status.At("source").Text() != "SOURCE_MASTER" {
		t.Errorf("status %v", status)
	}
	checkShapes(t, "scheduler_single_role.json", f.Events())
}

// TestSecondSubscription replaces the stream of a framework.
func TestSecondSubscription(t *testing.T) {
	master := testbed.StartMaster(t, "--registry=in_memory")
	f := testbed.Subscribe(t, master, testbed.FrameworkOptions{})
	first, id := f.Stream, f.ID
	f.Resubscribe()
	first.Await("ERROR on the old stream", testbed.Type("ERROR"))
	first.AwaitEnd()
	if f.ID != id {
		t.Errorf("framework %s became %s", id, f.ID)
	}
	f.Call("REVIVE", nil)
}

// TestMasterRemembersItsAgents kills a master and looks at what the next
// process knows.
func TestMasterRemembersItsAgents(t *testing.T) {
	master := testbed.StartMaster(t)
	a := startAgent(t, master)
	for range 3 {
		master.Kill()
		master.Start()
		testbed.Eventually(t, "the agent is recovered", func() error {
			answer := testbed.Do(t, http.MethodGet, master.URL("/slaves"), nil, nil)
			if answer.Status != http.StatusOK {
				return errStatus(answer.Status)
			}
			recovered := testbed.MustParse(t, answer.Body).At("recovered_slaves")
			if !recovered.Find(a.id.GetValue(), "id").Exists() {
				t.Fatalf("agent %s is forgotten: %s", a.id.GetValue(), answer.Body)
			}
			return nil
		})
	}
}
