package httpapi

import (
	"bytes"
	"context"
	"slices"
	"testing"
	"time"

	mesosmaster "github.com/mesos-operator/mesos-operator/api/mesos/v1/master"
	"github.com/mesos-operator/mesos-operator/internal/codec"
	"github.com/mesos-operator/mesos-operator/internal/lane"
	"github.com/mesos-operator/mesos-operator/masterd/engine"
	"github.com/mesos-operator/mesos-operator/masterd/state"
)

// missing counts the records of which a form isn't kept.
func missing[T any](t state.Table[T], f state.Form) (n int) {
	for _, kept := range t.Each() {
		if !kept.Has(f) {
			n++
		}
	}
	return n
}

func TestKeeper(t *testing.T) {
	whole := viewOf(t, 30)
	v := forgetful(whole)
	k := keeper{workshop: newWorkshop(lane.WithTurns(1)), asked: &wanted{}}
	k.keep(t.Context(), v)
	for form, want := range map[state.Form]int{formV0: 0, formProtobuf: 0, formJSON: v.Tasks.Len()} {
		if n := missing(v.Tasks, form); n != want {
			t.Errorf("form %d is missing for %d tasks, want %d", form, n, want)
		}
	}
	k.asked.json.Store(true)
	k.keep(t.Context(), v)
	if n := missing(v.Tasks, formJSON) + missing(v.Agents, formJSON) + missing(v.Executors, formJSON); n != 0 {
		t.Errorf("%d records have no JSON although somebody asked for it", n)
	}
	for _, contentType := range []string{codec.JSON, codec.Protobuf} {
		answer := func(v *state.View) []byte {
			return response(&body{}, mesosmaster.Call_GET_STATE, contentType, getState(v, visible{})).bytes()
		}
		if !bytes.Equal(answer(v), answer(forgetful(whole))) {
			t.Errorf("GET_STATE, %s: what was encoded ahead differs", contentType)
		}
	}
	a := &API{}
	if !bytes.Equal(composed(a.composeState, v, asked{}), composed(a.composeState, forgetful(whole), asked{})) {
		t.Error("/state: what was encoded ahead differs")
	}
}

// Once what a keeper has seen is kept, it looks at what is new alone.
func TestKeeperLooksAtChanges(t *testing.T) {
	v := forgetful(viewOf(t, 30))
	k := keeper{workshop: newWorkshop(nil), asked: &wanted{}}
	k.keep(t.Context(), v)
	for _, kept := range v.Tasks.Each() {
		kept.Drop(formV0) // nobody does, but for this test
	}
	k.keep(t.Context(), v)
	if n := missing(v.Tasks, formV0); n != v.Tasks.Len() {
		t.Errorf("%d of %d tasks were looked at again", v.Tasks.Len()-n, v.Tasks.Len())
	}
}

func TestKeeperEndsWithItsContext(t *testing.T) {
	v := forgetful(viewOf(t, 30))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	k := keeper{workshop: newWorkshop(nil), asked: &wanted{}}
	k.keep(ctx, v)
	if n := missing(v.Tasks, formV0); n == 0 {
		t.Error("all tasks are encoded")
	}
	if slices.ContainsFunc(k.done[:], func(tables []keepable) bool { return tables != nil }) {
		t.Error("it remembers tables that it didn't finish")
	}
}

func TestKeeperWaitsForQuiet(t *testing.T) {
	k := keeper{workshop: newWorkshop(nil), asked: &wanted{}}
	busy := engine.Stats{}
	for i := range keepPatience {
		busy.Steps += 1000
		busy.StepTime += time.Second / 2
		if k.due(busy) {
			t.Fatalf("round %d: encodes while the loop is busy", i)
		}
	}
	if !k.due(busy) {
		t.Error("the loop is idle again, and nothing is encoded")
	}
	if k.due(busy) {
		t.Error("nothing happened, and it looks again")
	}
	for range keepPatience {
		busy.Steps, busy.StepTime = busy.Steps+1, busy.StepTime+time.Second
		k.due(busy)
	}
	busy.Steps, busy.StepTime = busy.Steps+1, busy.StepTime+time.Second
	if !k.due(busy) {
		t.Error("a loop that is always busy keeps it from ever encoding")
	}
}
