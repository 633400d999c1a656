package scheduler

import (
	"strings"
	"testing"
	"time"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// inBoth runs a test with a framework of either content type.
func inBoth(t *testing.T, test func(*testing.T, testbed.Encoding)) {
	for _, e := range encodings {
		t.Run(strings.TrimPrefix(string(e), "application/"), func(t *testing.T) { test(t, e) })
	}
}

// short is how long nothing has to happen before it is believed that it won't:
// several allocation intervals.
const short = 700 * time.Millisecond

func capabilities(names ...string) list {
	var out list
	for _, name := range names {
		out = append(out, object{"type": name})
	}
	return out
}

// refusal is the message of a SUBSCRIBE's only event, after which the stream
// ends.
func refusal(t *testing.T, f *testbed.Framework) string {
	t.Helper()
	stream, answer := f.TrySubscribe()
	if stream == nil {
		t.Fatalf("SUBSCRIBE: %d %s", answer.Status, answer.Text())
	}
	text := stream.Await("ERROR", testbed.Type("ERROR")).At("error", "message").Text()
	stream.AwaitEnd()
	return text
}

// TestRemovedFramework: after its failover timeout, or TEARDOWN, a framework
// can't come back, and its calls are for an unknown one.
func TestRemovedFramework(t *testing.T) {
	inBoth(t, func(t *testing.T, e testbed.Encoding) {
		master := testbed.StartMaster(t, "--registry=in_memory")
		a := startAgent(t, master)
		end := map[string]func(*testbed.Framework){
			"its failover timeout": func(f *testbed.Framework) { f.Close() },
			"TEARDOWN":             func(f *testbed.Framework) { f.Call("TEARDOWN", nil) },
		}
		for name, end := range end {
			t.Run(name, func(t *testing.T) {
				f := testbed.Subscribe(t, master, testbed.FrameworkOptions{Encoding: e, Info: object{"failover_timeout": 0.0}})
				end(f)
				var shutdown messages.ShutdownFrameworkMessage
				a.Receive(internal+"ShutdownFrameworkMessage", &shutdown)
				if got := shutdown.GetFrameworkId().GetValue(); got != f.ID {
					t.Errorf("agents shut down %s, want %s", got, f.ID)
				}
				if got := refusal(t, f); got != "Framework has been removed" {
					t.Errorf("it is told %q", got)
				}
				if answer := f.Send(object{"type": "REVIVE"}); answer.Status != 400 {
					t.Errorf("a call of it gets %d", answer.Status)
				}
			})
		}
	})
}

// TestSchedulerChangesDialect: a framework goes from HTTP to the native driver
// and back. The one before is told, and not heard any more.
func TestSchedulerChangesDialect(t *testing.T) {
	master := testbed.StartMaster(t, "--registry=in_memory")
	f := testbed.Subscribe(t, master, testbed.FrameworkOptions{Info: object{"roles": nil, "role": "*", "capabilities": nil}})
	d := newDriver(t, master, calls)
	d.id = &mesos.FrameworkID{Value: &f.ID}
	d.register(false)
	if got := d.failed(); got != "Framework failed over" {
		t.Errorf("without force a driver is told %q", got)
	}
	d.register(true)
	d.registered()
	f.Await("ERROR", testbed.Type("ERROR"))
	f.AwaitEnd()
	if answer := f.Send(object{"type": "REVIVE"}); answer.Status != 403 {
		t.Errorf("a call over HTTP in the name of a driver's framework gets %d", answer.Status)
	}
	f.Resubscribe()
	if got := d.failed(); got != "Framework failed over" {
		t.Errorf("the driver is told %q", got)
	}
	if got := d.state(master); got.At("pid").Exists() {
		t.Errorf("an HTTP framework is shown with a pid: %v", got)
	}
	f.Call("REVIVE", nil)
}

// TestUpdateFramework: roles come with offers and go with a RESCIND; what can't
// change is a 400; agents learn what did.
func TestUpdateFramework(t *testing.T) {
	inBoth(t, func(t *testing.T, e testbed.Encoding) {
		master := testbed.StartMaster(t, "--registry=in_memory")
		a := startAgent(t, master)
		info := object{"user": "root", "name": "n", "principal": "p", "failover_timeout": 60.0,
			"roles": list{"a"}, "capabilities": capabilities("MULTI_ROLE")}
		f := testbed.Subscribe(t, master, testbed.FrameworkOptions{Encoding: e, Info: info})
		update := func(extra object, changes ...any) testbed.Answer {
			changed := object{"id": object{"value": f.ID}}
			for name, value := range info {
				changed[name] = value
			}
			for i := 0; i < len(changes); i += 2 {
				changed[changes[i].(string)] = changes[i+1]
			}
			call := object{"framework_info": changed}
			for name, value := range extra {
				call[name] = value
			}
			return f.Send(object{"type": "UPDATE_FRAMEWORK", "update_framework": call})
		}
		offer := f.Offer()
		if answer := update(nil, "roles", list{"b"}, "name", "m"); answer.Status != 200 || len(answer.Body) > 0 {
			t.Fatalf("%d %s", answer.Status, answer.Text())
		}
		rescind := f.Await("RESCIND", testbed.Type("RESCIND"))
		if got, want := rescind.At("rescind", "offer_id", "value").Text(), offer.At("id", "value").Text(); got != want {
			t.Errorf("offer %s is rescinded, want %s", got, want)
		}
		if got := f.Offer().At("allocation_info", "role").Text(); got != "b" {
			t.Errorf("the next offer is for %q", got)
		}
		var told messages.UpdateFrameworkMessage
		a.Receive(internal+"UpdateFrameworkMessage", &told)
		if told.GetFrameworkInfo().GetName() != "m" {
			t.Errorf("agents learn %v", told.GetFrameworkInfo())
		}
		for name, answer := range map[string]testbed.Answer{
			"another user":               update(nil, "user", "other"),
			"another principal":          update(nil, "principal", "q"),
			"checkpointing":              update(nil, "checkpoint", true),
			"a bad role":                 update(nil, "roles", list{"a", "/"}),
			"a suppressed foreign role":  update(object{"suppressed_roles": list{"x"}}),
			"constraints for a stranger": update(object{"offer_constraints": object{"role_constraints": object{"x": object{}}}}),
			"another ID":                 update(nil, "id", object{"value": "x"}),
		} {
			if answer.Status != 400 || answer.Text() == "" {
				t.Errorf("%s: %d %q", name, answer.Status, answer.Text())
			}
		}
	})
}

// TestSuppressedFromTheBeginning: no offers for suppressed roles until they are
// revived, and again after UPDATE_FRAMEWORK says so.
func TestSuppressedFromTheBeginning(t *testing.T) {
	master := testbed.StartMaster(t, "--registry=in_memory")
	startAgent(t, master)
	f := testbed.NewFramework(t, master, object{"user": "root", "name": "n", "roles": list{"a", "b"}, "capabilities": capabilities("MULTI_ROLE")})
	stream := subscribeWith(t, master, f, object{"suppressed_roles": list{"a", "b"}})
	stream.Never(short, "an offer for suppressed roles", testbed.Type("OFFERS"))
	f.Stream = stream
	f.Call("REVIVE", object{"roles": list{"b"}})
	if got := f.Offer().At("allocation_info", "role").Text(); got != "b" {
		t.Errorf("REVIVE of b brings an offer for %q", got)
	}
	f.Call("SUPPRESS", object{"roles": list{"x"}})
	f.Call("REVIVE", object{"roles": list{"a", "x"}})
	f.Never(short, "an offer after a REVIVE that names a foreign role", testbed.Type("OFFERS"))
}

// subscribeWith subscribes with more than the framework's info.
func subscribeWith(t *testing.T, master *testbed.Master, f *testbed.Framework, extra object) *testbed.Stream {
	t.Helper()
	stream, answer := f.TrySubscribeWith(extra)
	if stream == nil {
		t.Fatalf("SUBSCRIBE: %d %s", answer.Status, answer.Text())
	}
	f.StreamID = stream.Header.Get("Mesos-Stream-Id")
	f.ID = stream.Await("SUBSCRIBED", testbed.Type("SUBSCRIBED")).At("subscribed", "framework_id", "value").Text()
	return stream
}

// TestOfferConstraints: offers come from agents only that fit, and what is too
// complex is refused.
func TestOfferConstraints(t *testing.T) {
	master := testbed.StartMaster(t, "--registry=in_memory", "--offer_constraints_re2_max_program_size=60")
	rack := func(name string) func(*messages.RegisterSlaveMessage) {
		return func(m *messages.RegisterSlaveMessage) {
			m.Slave.Attributes = []*mesos.Attribute{{
				Name: new("rack"), Type: mesos.Value_TEXT.Enum(), Text: &mesos.Value_Text{Value: &name}}}
		}
	}
	a, b := startAgentWith(t, master, rack("r1")), startAgentWith(t, master, rack("r2"))
	matches := func(regex string) object {
		return object{"offer_constraints": object{"role_constraints": object{"web": object{"groups": list{object{
			"attribute_constraints": list{object{
				"selector":  object{"attribute_name": "rack"},
				"predicate": object{"text_matches": object{"regex": regex}}}}}}}}}}
	}
	f := testbed.NewFramework(t, master, object{"user": "root", "name": "n", "roles": list{"web"}, "capabilities": capabilities("MULTI_ROLE")})
	f.Stream = subscribeWith(t, master, f, matches("r[13]"))
	if got := f.Offer().At("agent_id", "value").Text(); got != a.id.GetValue() {
		t.Errorf("an offer of agent %s, want %s", got, a.id.GetValue())
	}
	f.Never(short, "an offer of an agent that doesn't fit", func(v testbed.Value) bool {
		return v.At("offers", "offers", 0, "agent_id", "value").Text() == b.id.GetValue()
	})
	for name, regex := range map[string]string{"no expression": "r[", "too complex": "(r{50}){10}"} {
		other := testbed.NewFramework(t, master, object{"user": "root", "name": "o", "roles": list{"web"}, "capabilities": capabilities("MULTI_ROLE")})
		stream, _ := other.TrySubscribeWith(matches(regex))
		if stream == nil || stream.Await("ERROR", testbed.Type("ERROR")).At("error", "message").Text() == "" {
			t.Errorf("%s: no reason is given", name)
		}
	}
}

// TestOfferTimeout: an offer that isn't answered is taken back and made again.
func TestOfferTimeout(t *testing.T) {
	master := testbed.StartMaster(t, "--registry=in_memory", "--offer_timeout=1secs")
	startAgent(t, master)
	f := testbed.Subscribe(t, master, testbed.FrameworkOptions{})
	offer := f.Offer()
	rescind := f.Await("RESCIND", testbed.Type("RESCIND"))
	if rescind.At("rescind", "offer_id", "value").Text() != offer.At("id", "value").Text() {
		t.Errorf("%v is rescinded, want %v", rescind, offer.At("id"))
	}
	f.Offer()
}

// TestCapabilities: who is offered what is not for everybody.
func TestCapabilities(t *testing.T) {
	domain := func(region string) *mesos.DomainInfo {
		return &mesos.DomainInfo{FaultDomain: &mesos.DomainInfo_FaultDomain{
			Region: &mesos.DomainInfo_FaultDomain_RegionInfo{Name: &region},
			Zone:   &mesos.DomainInfo_FaultDomain_ZoneInfo{Name: new("z")}}}
	}
	for capability, change := range map[string]func(*messages.RegisterSlaveMessage){
		"GPU_RESOURCES": func(m *messages.RegisterSlaveMessage) {
			m.Slave.Resources = append(m.Slave.Resources, scalar("gpus", 2))
		},
		"REGION_AWARE": func(m *messages.RegisterSlaveMessage) { m.Slave.Domain = domain("far") },
	} {
		t.Run(capability, func(t *testing.T) {
			master := testbed.StartMaster(t, "--registry=in_memory", "--filter_gpu_resources",
				`--domain={"fault_domain":{"region":{"name":"near"},"zone":{"name":"z"}}}`)
			startAgentWith(t, master, change)
			without := testbed.Subscribe(t, master, testbed.FrameworkOptions{})
			without.Never(short, "an offer to a framework without "+capability, testbed.Type("OFFERS"))
			with := testbed.Subscribe(t, master, testbed.FrameworkOptions{Info: object{
				"capabilities": capabilities("MULTI_ROLE", capability)}})
			with.Offer()
		})
	}
}

// TestCompletedAreBounded: of frameworks and tasks that ended the last are
// remembered.
func TestCompletedAreBounded(t *testing.T) {
	master := testbed.StartMaster(t, "--registry=in_memory", "--max_completed_frameworks=1", "--max_completed_tasks_per_framework=2")
	a := startAgent(t, master)
	testbed.Subscribe(t, master, testbed.FrameworkOptions{}).Call("TEARDOWN", nil)
	f := testbed.Subscribe(t, master, testbed.FrameworkOptions{})
	for _, id := range []string{"one", "two", "three"} {
		f.Run(id, "true")
		acknowledge(t, f, a, id, "TASK_FINISHED", a.update(a.launched(), mesos.TaskState_TASK_FINISHED))
	}
	f.Call("TEARDOWN", nil)
	state := master.Get("/state")
	completed := state.At("completed_frameworks").List()
	if len(completed) != 1 || completed[0].At("id").Text() != f.ID {
		t.Fatalf("%d completed frameworks: %v", len(completed), completed)
	}
	var ids []string
	for _, task := range completed[0].At("completed_tasks").List() {
		ids = append(ids, task.At("id").Text())
	}
	if strings.Join(ids, " ") != "two three" {
		t.Errorf("completed tasks %v, want the last two", ids)
	}
}
