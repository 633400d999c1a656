package provider

import (
	"errors"
	"fmt"
	"testing"

	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// An operation is under way when agent, master or provider die, or all of them.
// Its framework hears of its outcome once they are back, and the provider of the
// acknowledgement.
func TestKilled(t *testing.T) {
	for _, encoding := range encodings {
		for name, kill := range map[string]func(h *house){
			"agent":    func(h *house) { h.restartAgent() },
			"master":   func(h *house) { h.restartMaster() },
			"provider": func(h *house) { h.restartProvider() },
			"all":      func(h *house) { h.p.Close(); h.master.Kill(); h.restartAgent(); h.master.Start(); h.f.Resubscribe() },
		} {
			t.Run(name+"/"+string(encoding), func(t *testing.T) {
				h := newHouse(t, encoding)
				defer h.f.Call("TEARDOWN", nil)
				operation := h.begin()
				h.pending = known(operation, "OPERATION_PENDING")
				kill(h)
				h.awaitOperations(1)
				h.awaitRegistered()
				disk := with(h.p.mounted(t.TempDir()), object{
					"allocation_info": operation.At("info", "create_disk", "source", "allocation_info").Raw(),
				})
				status := h.p.report(operation, "OPERATION_FINISHED", disk)
				h.p.outcome(h.f, "create", "OPERATION_FINISHED")
				h.p.acknowledged(status)
				h.awaitOperations(0)
				h.p.offered(h.f, "MOUNT")
			})
		}
	}
}

// The outcome is known to the provider alone when the agent dies: it was told and
// not acknowledged. It is told until it is.
func TestUnacknowledged(t *testing.T) {
	h := newHouse(t, testbed.JSON)
	defer h.f.Call("TEARDOWN", nil)
	operation := h.begin()
	h.agent.Kill()
	h.agent.Start()
	disk := with(h.p.mounted(t.TempDir()), object{
		"allocation_info": operation.At("info", "create_disk", "source", "allocation_info").Raw(),
	})
	finished := known(operation, "OPERATION_FINISHED")
	h.p.subscribe()
	h.p.state(list{h.p.mounted(t.TempDir())}, finished)
	h.awaitOperations(1)
	h.awaitRegistered()
	status := h.p.report(operation, "OPERATION_FINISHED", disk)
	h.f.Await("the outcome", testbed.Type("UPDATE_OPERATION_STATUS"))
	h.p.tell(operation, status) // it doesn't know whether anybody heard
	h.p.outcome(h.f, "create", "OPERATION_FINISHED")
	h.p.acknowledged(status)
	h.p.tell(operation, status) // nor whether it got all acknowledgements
	h.awaitOperations(0)
	if total := h.p.diskIn(providersOf(h.agent).At(0, "total_resources")); total.At("scalar", "value").Number() != 64 {
		t.Errorf("the provider has %v: the outcome was counted twice", total)
	}
}

// A provider that never got an operation says so when it is asked.
func TestDropped(t *testing.T) {
	h := newHouse(t, testbed.JSON)
	defer h.f.Call("TEARDOWN", nil)
	operation := h.begin()
	h.p.subscribe()            // before anybody takes it for gone
	h.p.state(list{h.p.raw()}) // it does not know the operation
	h.p.Await("the question", func(v testbed.Value) bool {
		return v.At("reconcile_operations", "operation_uuids", 0, "value").Text() == operation.At("operation_uuid", "value").Text()
	})
	h.p.report(operation, "OPERATION_DROPPED")
	h.p.outcome(h.f, "create", "OPERATION_DROPPED")
	h.awaitOperations(0)
}

// house is a cluster with a provider and a framework.
type house struct {
	t       testing.TB
	master  *testbed.Master
	agent   *testbed.Agent
	p       *provider
	f       *testbed.Framework
	pending object
}

func newHouse(t *testing.T, encoding testbed.Encoding) *house {
	h := &house{t: t, master: testbed.StartMaster(t)}
	h.agent = testbed.StartAgent(t, h.master.Address, testbed.Posix)
	h.p = newProvider(t, h.agent, encoding)
	h.p.state(list{h.p.raw()})
	h.f = testbed.Subscribe(t, h.master, testbed.FrameworkOptions{Encoding: encoding, Info: frameworkInfo})
	return h
}

// begin lets the framework ask for a mounted disk.
func (h *house) begin() testbed.Value {
	h.t.Helper()
	offer, disk := h.p.offered(h.f, "RAW")
	h.f.Accept(offer, named("create", "CREATE_DISK", "create_disk", object{"source": disk.Raw(), "target_type": "MOUNT"}))
	return h.p.operation("CREATE_DISK")
}

func (h *house) restartAgent() {
	h.t.Helper()
	h.agent.Kill()
	h.agent.Start()
	h.p.subscribe()
	h.p.state(list{h.p.raw()}, h.pending)
}

func (h *house) restartMaster() {
	h.t.Helper()
	h.master.Kill()
	h.master.Start()
	h.f.Resubscribe()
}

func (h *house) restartProvider() {
	h.t.Helper()
	h.p.Close()
	awaitProviders(h.t, h.agent, 0)
	h.p.subscribe()
	h.p.state(list{h.p.raw()}, h.pending)
}

// awaitRegistered waits until the agent passes on what it is told: before, a
// provider would have to repeat it.
func (h *house) awaitRegistered() {
	h.t.Helper()
	testbed.Eventually(h.t, "the agent is registered", func() error {
		if h.agent.TryGet("/metrics/snapshot").At("slave/registered").Number() != 1 {
			return errors.New("it is not")
		}
		return nil
	})
}

// awaitOperations waits until agent and master know of so many.
func (h *house) awaitOperations(count int) {
	h.t.Helper()
	testbed.Eventually(h.t, fmt.Sprintf("%d operations", count), func() error {
		for _, p := range []*testbed.Process{h.agent.Process, h.master.Process} {
			answer := p.Operator(object{"type": "GET_OPERATIONS"})
			if answer.Status != 200 {
				return fmt.Errorf("%s: %d %s", p.Name, answer.Status, answer.Text())
			}
			got := testbed.MustParse(h.t, answer.Body).At("get_operations", "operations").List()
			if len(got) != count {
				return fmt.Errorf("%s has %v", p.Name, got)
			}
		}
		return nil
	})
}
