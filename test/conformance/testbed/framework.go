package testbed

import (
	"fmt"
	"maps"
	"net/http"
	"os/user"
	"slices"
	"strings"
	"testing"
	"time"
)

// FrameworkOptions says what a Framework is like.
type FrameworkOptions struct {
	// Encoding is JSON unless it says otherwise.
	Encoding Encoding
	// Info is merged into its FrameworkInfo.
	Info Object
}

// Framework is a scheduler on the v1 API.
type Framework struct {
	*Stream
	// ID is its framework ID.
	ID string
	// StreamID is that of the current subscription.
	StreamID string

	t        testing.TB
	master   *Master
	encoding Encoding
	info     Object
}

// ownUser is whoever runs the tests, as whom an agent without privileges can run tasks.
func ownUser() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "root"
}

// Subscribe begins a framework; it has seen SUBSCRIBED and the first HEARTBEAT.
func Subscribe(t testing.TB, master *Master, o FrameworkOptions) *Framework {
	t.Helper()
	f := &Framework{t: t, master: master, encoding: o.Encoding, info: Object{"user": ownUser(), "name": t.Name(), "roles": List{"*"},
		"capabilities": List{Object{"type": "MULTI_ROLE"}, Object{"type": "PARTITION_AWARE"}}, "failover_timeout": 3600.0}}
	if f.encoding == "" {
		f.encoding = JSON
	}
	for name, value := range o.Info {
		f.info[name] = value
		if value == nil {
			delete(f.info, name)
		}
	}
	f.Resubscribe()
	return f
}

// NewFramework returns one with exactly this FrameworkInfo that isn't subscribed.
func NewFramework(t testing.TB, master *Master, info Object) *Framework {
	return &Framework{t: t, master: master, encoding: JSON, info: info}
}

// TrySubscribe sends SUBSCRIBE, with the framework's ID if it has one. The answer
// is of interest if there is no stream.
func (f *Framework) TrySubscribe() (*Stream, Answer) {
	f.t.Helper()
	return f.TrySubscribeWith(nil)
}

// TrySubscribeWith is TrySubscribe with more members in the call.
func (f *Framework) TrySubscribeWith(extra Object) (*Stream, Answer) {
	f.t.Helper()
	subscribe := Object{"framework_info": f.info}
	maps.Copy(subscribe, extra)
	call := Object{"type": "SUBSCRIBE", "subscribe": subscribe}
	if f.ID != "" {
		f.info["id"] = Object{"value": f.ID}
		call["framework_id"] = Object{"value": f.ID}
	}
	body, err := f.encoding.encode(call)
	if err != nil {
		f.t.Fatal(err)
	}
	header := f.master.Header(http.Header{"Content-Type": {string(f.encoding)}, "Accept": {string(f.encoding)}})
	return OpenStream(f.t, f.master.URL("/api/v1/scheduler"), header, body, f.encoding.decode)
}

// Resubscribe opens a new stream, and waits for the master as long as that isn't
// ready.
func (f *Framework) Resubscribe() {
	f.t.Helper()
	Eventually(f.t, "the framework is subscribed", func() error {
		stream, answer := f.TrySubscribe()
		if stream == nil {
			if answer.Status == http.StatusServiceUnavailable {
				return fmt.Errorf("%d %s", answer.Status, answer.Text())
			}
			f.t.Fatalf("SUBSCRIBE: %d %s", answer.Status, answer.Text())
		}
		f.Stream = stream
		return nil
	})
	f.StreamID = f.Header.Get("Mesos-Stream-Id")
	subscribed := f.Await("SUBSCRIBED", Type("SUBSCRIBED"))
	f.ID = subscribed.At("subscribed", "framework_id", "value").Text()
	f.Await("the first HEARTBEAT", Type("HEARTBEAT"))
	if events := f.Events(); events[0].At("type").Text() != "SUBSCRIBED" || events[1].At("type").Text() != "HEARTBEAT" {
		f.t.Fatalf("a stream begins with SUBSCRIBED and HEARTBEAT, not with %v", events[:2])
	}
}

// Master is who its calls go to.
func (f *Framework) Master() *Master { return f.master }

// MoveTo makes another master the one that calls go to; see Resubscribe.
func (f *Framework) MoveTo(master *Master) { f.master = master }

// Send makes a call and returns the answer. framework_id is filled in.
func (f *Framework) Send(call Object) Answer {
	f.t.Helper()
	if _, ok := call["framework_id"]; !ok {
		call["framework_id"] = Object{"value": f.ID}
	}
	body, err := f.encoding.encode(call)
	if err != nil {
		f.t.Fatal(err)
	}
	header := f.master.Header(http.Header{"Content-Type": {string(f.encoding)}, "Mesos-Stream-Id": {f.StreamID}})
	return Do(f.t, http.MethodPost, f.master.URL("/api/v1/scheduler"), header, body)
}

// Call makes a call that must be accepted. name is its type, and that of its
// member in lower case, which is left out if the body is nil.
func (f *Framework) Call(name string, body Object) {
	f.t.Helper()
	call := Object{"type": name}
	if body != nil {
		call[strings.ToLower(name)] = body
	}
	answer := f.Send(call)
	if answer.Status != http.StatusAccepted || len(answer.Body) != 0 {
		f.t.Fatalf("%s: %d %s", name, answer.Status, answer.Text())
	}
}

// Offer takes the next offer that still stands: one may be from before something died.
func (f *Framework) Offer() Value {
	f.t.Helper()
	for {
		offer := f.Await("an offer", Type("OFFERS")).At("offers", "offers", 0)
		if !f.rescinded(offer.At("id", "value").Text()) {
			return offer
		}
	}
}

func (f *Framework) rescinded(offer string) bool {
	return slices.ContainsFunc(f.Events(), func(e Value) bool {
		return e.At("type").Text() == "RESCIND" && e.At("rescind", "offer_id", "value").Text() == offer
	})
}

// Accept accepts an offer for operations.
func (f *Framework) Accept(offer Value, operations ...any) {
	f.t.Helper()
	f.Call("ACCEPT", Object{
		"offer_ids":  List{offer.At("id").Raw()},
		"operations": operations,
		"filters":    Object{"refuse_seconds": 0.0},
	})
}

// Launch is the operation that launches tasks.
func Launch(tasks ...Object) Object {
	return Object{"type": "LAUNCH", "launch": Object{"task_infos": tasks}}
}

// Task is a task that runs a command on the agent of an offer, with a tenth of a
// cpu and 32 MB.
func Task(offer Value, id, command string) Object {
	return Object{
		"name": id, "task_id": Object{"value": id}, "agent_id": offer.At("agent_id").Raw(),
		"command":   Object{"value": command, "shell": true},
		"resources": List{Scalar("cpus", 0.1), Scalar("mem", 32)},
	}
}

// Scalar is a resource.
func Scalar(name string, value float64) Object {
	return Object{"name": name, "type": "SCALAR", "scalar": Object{"value": value}}
}

// Run launches a command with the next offer.
func (f *Framework) Run(id, command string) {
	f.t.Helper()
	offer := f.Offer()
	f.Accept(offer, Launch(Task(offer, id, command)))
}

// isUpdate matches updates of a task in a state; "" is any.
func isUpdate(task, state string) func(Value) bool {
	return func(v Value) bool {
		status := v.At("update", "status")
		return v.At("type").Text() == "UPDATE" && status.At("task_id", "value").Text() == task &&
			(state == "" || status.At("state").Text() == state)
	}
}

// Update takes the next update of a task, which must be the state.
func (f *Framework) Update(task, state string) Value {
	f.t.Helper()
	status := f.Await(state+" of "+task, isUpdate(task, "")).At("update", "status")
	if got := status.At("state").Text(); got != state {
		f.t.Fatalf("update of %s: got %s, want %s: %v", task, got, state, status)
	}
	return status
}

// AwaitUpdate skips updates of a task until the state comes. arrived is when.
func (f *Framework) AwaitUpdate(task, state string) (status Value, arrived time.Time) {
	f.t.Helper()
	event, arrived := f.AwaitWithin(Patience, state+" of "+task, isUpdate(task, state))
	return event.At("update", "status"), arrived
}

// Acknowledge acknowledges an update.
func (f *Framework) Acknowledge(status Value) {
	f.t.Helper()
	f.Call("ACKNOWLEDGE", Object{
		"agent_id": status.At("agent_id").Raw(), "task_id": status.At("task_id").Raw(), "uuid": status.At("uuid").Raw(),
	})
}

// Follow takes and acknowledges updates of a task, one for each state.
func (f *Framework) Follow(task string, states ...string) (last Value) {
	f.t.Helper()
	for _, state := range states {
		last = f.Update(task, state)
		if last.At("uuid").Exists() {
			f.Acknowledge(last)
		}
	}
	return last
}

// FollowTo takes and acknowledges updates of a task until the state comes: for those of
// which it can't be known how many come before, such as one that an agent repeats since
// it was killed before it had the acknowledgement.
func (f *Framework) FollowTo(task, state string) (last Value) {
	f.t.Helper()
	for last.At("state").Text() != state {
		last = f.Await(state+" of "+task, isUpdate(task, "")).At("update", "status")
		if last.At("uuid").Exists() {
			f.Acknowledge(last)
		}
	}
	return last
}
