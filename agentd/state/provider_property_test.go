package state

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/resourceprovider"
)

// providerWorld lets a provider, operations and tasks on its disk come and go at
// random, with an agent that is killed at any step.
type providerWorld struct {
	t *rapid.T
	r *rig
	d *disk
	p *testProvider

	open     map[StreamID]bool
	asked    []*mesos.UUID // publications without answer
	answered map[string]bool
	gone     map[string]bool
	launched map[string]bool
	tasks    int
	mounted  bool // what the provider's disk is
	applied  byte // operations that were asked for
}

func (w *providerWorld) look(effects []Effect) {
	w.d.apply(effects)
	for _, e := range effects {
		switch e := e.(type) {
		case SendEvent:
			w.event(e)
		case CloseStream:
			delete(w.open, e.Stream)
		case LaunchContainer:
			if w.launched[e.Container] {
				w.t.Fatalf("container %s is launched twice", e.Container)
			}
			w.launched[e.Container] = true
			if len(w.answered) == 0 {
				w.t.Fatalf("container %s is launched without its disk", e.Container)
			}
		}
	}
	w.consistent()
}

func (w *providerWorld) event(e SendEvent) {
	event, ok := e.Event.(*resourceprovider.Event)
	if !ok {
		return
	}
	if !w.open[e.Stream] {
		w.t.Fatalf("%s on a stream that is closed", event.GetType())
	}
	if id := event.GetSubscribed().GetProviderId().GetValue(); id != "" {
		known := false
		for _, p := range w.d.snapshot.Providers {
			known = known || p.GetId().GetValue() == id
		}
		if !known || w.gone[id] {
			w.t.Fatalf("provider %s is subscribed; on the disk: %t, gone: %t", id, known, w.gone[id])
		}
	}
	if event.PublishResources != nil {
		w.asked = append(w.asked, event.GetPublishResources().GetUuid())
	}
}

// consistent checks the books.
func (w *providerWorld) consistent() {
	m := w.r.m
	for i := range m.totals.All() {
		if i.Provider() != nil {
			w.t.Fatalf("the agent's own resources have %s", i)
		}
	}
	for uuid, asked := range m.providers.publishes {
		if m.providers.subscribed[asked.provider] == nil || !asked.held.waiting[uuid] {
			w.t.Fatalf("a publication of provider %s waits for nobody", asked.provider)
		}
	}
	for stream, p := range m.providers.streams {
		if p.stream != stream || m.providers.subscribed[p.id] != p {
			w.t.Fatalf("stream %d is not that of provider %s", stream, p.id)
		}
	}
	for id, p := range m.providers.subscribed {
		if m.providers.known[id] == nil || m.providers.gone[id] != nil {
			w.t.Fatalf("provider %s is subscribed and not known", id)
		}
		if size := p.total.Scalar("disk").Float(); size != 0 && size != 100 {
			w.t.Fatalf("the disk of 100 MB has %v MB: an operation was counted twice", size)
		}
	}
}

func (w *providerWorld) subscribed() bool { return w.r.m.providers.subscribed[w.p.id] != nil }

func (w *providerWorld) subscribe(*rapid.T) {
	w.open[w.p.stream+1] = true
	w.p.subscribe()
	if w.gone[w.p.id] {
		w.p.id = "" // it begins anew
	}
}

func (w *providerWorld) disconnect(*rapid.T) {
	delete(w.open, w.p.stream)
	w.p.disconnect()
}

func (w *providerWorld) tell(*rapid.T) {
	if !w.subscribed() {
		return
	}
	w.p.state(90, w.p.disk(100, w.mounted, ""), w.r.m.operationsOf(w.p.id)...)
}

func (w *providerWorld) apply(*rapid.T) {
	if w.p.id != "" && w.applied < 200 {
		w.applied++
		w.p.apply(w.applied, w.p.createDisk())
	}
}

// report tells that an operation succeeded, often more than once.
func (w *providerWorld) report(t *rapid.T) {
	if !w.subscribed() || w.applied == 0 {
		return
	}
	operation := byte(rapid.IntRange(1, int(w.applied)).Draw(t, "operation"))
	if rapid.Bool().Draw(t, "failed") {
		w.p.report(operation, operation, mesos.OperationState_OPERATION_FAILED)
		return
	}
	w.mounted = true
	w.p.report(operation, operation, mesos.OperationState_OPERATION_FINISHED, w.p.disk(100, true, "dev"))
}

func (w *providerWorld) acknowledge(t *rapid.T) {
	if w.applied > 0 && w.p.id != "" {
		operation := byte(rapid.IntRange(1, int(w.applied)).Draw(t, "operation"))
		w.p.acknowledge(operation, operation)
	}
}

func (w *providerWorld) markGone(t *rapid.T) {
	if w.p.id == "" || rapid.IntRange(0, 5).Draw(t, "mercy") > 0 {
		return
	}
	if w.p.gone() == statusOK {
		w.gone[w.p.id] = true
	}
}

func (w *providerWorld) launch(*rapid.T) {
	if w.p.id == "" {
		return
	}
	w.tasks++
	task := commandTask(fmt.Sprintf("t%d", w.tasks))
	task.Resources = append(task.Resources, w.p.disk(100, true, "dev"))
	w.r.fromMaster(runTask(task))
}

func (w *providerWorld) answer(t *rapid.T) {
	if !w.subscribed() || len(w.asked) == 0 {
		return
	}
	i := rapid.IntRange(0, len(w.asked)-1).Draw(t, "publication")
	status := resourceprovider.Call_UpdatePublishResourcesStatus_OK
	if rapid.Bool().Draw(t, "fails") {
		status = resourceprovider.Call_UpdatePublishResourcesStatus_FAILED
	} else {
		w.answered[string(w.asked[i].GetValue())] = true
	}
	w.p.call(&resourceprovider.Call{
		Type:                         resourceprovider.Call_UPDATE_PUBLISH_RESOURCES_STATUS.Enum(),
		UpdatePublishResourcesStatus: &resourceprovider.Call_UpdatePublishResourcesStatus{Uuid: w.asked[i], Status: &status},
	})
}

func (w *providerWorld) timeout(t *rapid.T) {
	for id := range sorted(w.r.m.containers) {
		if rapid.Bool().Draw(t, "late") {
			w.r.fire(Timer{Kind: TimerExecutorRegister, Container: id})
		}
	}
}

func (w *providerWorld) shutdown(*rapid.T) {
	w.r.fromMaster(&messages.ShutdownFrameworkMessage{FrameworkId: testFramework().Id})
	for id := range sorted(w.r.m.containers) {
		w.r.fire(Timer{Kind: TimerExecutorShutdown, Container: id})
	}
}

// crash kills the agent; its next life knows what is on the disk.
func (w *providerWorld) crash(*rapid.T) {
	next := newRig(w.r.t, func(c *Config) { c.Random = w.r.m.cfg.Random })
	next.onStep = w.look
	w.r, w.p.r, w.open, w.asked = next, next, map[StreamID]bool{}, nil
	snapshot := w.d.snapshot
	next.step("restarted", Recovered{Snapshot: &snapshot})
	next.step("containers recovered", ContainersRecovered{})
	for id := range sorted(next.m.containers) {
		next.step("it ended", ContainerTerminated{Container: id})
	}
	next.register()
}

func TestAnyProvider(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := &providerWorld{
			t: rt, r: newRig(t), d: &disk{}, open: map[StreamID]bool{},
			answered: map[string]bool{}, gone: map[string]bool{}, launched: map[string]bool{},
		}
		w.r.onStep = w.look
		w.p = &testProvider{r: w.r, stream: providerStream}
		w.r.start()
		rt.Repeat(map[string]func(*rapid.T){
			"subscribe": w.subscribe, "disconnect": w.disconnect, "tell": w.tell, "apply": w.apply, "report": w.report,
			"acknowledge": w.acknowledge, "gone": w.markGone, "launch": w.launch, "answer": w.answer,
			"timeout": w.timeout, "shutdown": w.shutdown, "crash": w.crash,
		})
	})
}
