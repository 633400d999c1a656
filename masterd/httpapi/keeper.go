package httpapi

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/codec"
	"github.com/mesos-operator/mesos-operator/masterd/engine"
	"github.com/mesos-operator/mesos-operator/masterd/state"
)

// How the keeper works: it looks for changes every keepInterval, and after
// keepBatches of records rests for keepRest, so that it takes a quarter of a
// processor; the first time in a term, when everything is to be encoded, after
// keepFirstBatches, which is most of one. While the loop is busier than keepBusy of
// the time, as when all agents come back to a new leader, it does nothing, but for
// not more than keepPatience rounds in a row. Nor does it while somebody waits for
// an answer, who encodes what he needs himself.
const (
	keepInterval     = time.Second
	keepBatches      = 4
	keepFirstBatches = 40
	keepRest         = time.Millisecond
	keepBusy         = 0.25
	keepPatience     = 15
)

// wanted are forms, by their content type in v1, that are kept once somebody has
// asked for them: they take as much memory as the answer is long. /state and
// GET_STATE in protobuf are kept from the beginning.
type wanted struct{ json atomic.Bool }

// Keep encodes the records of a leading master before somebody asks for them, so
// that the first /state takes no longer than the others. It runs until the
// context ends.
func (a *API) Keep(ctx context.Context, e *engine.Engine) {
	k := keeper{workshop: a.workshop, asked: &a.asked}
	tick := time.NewTicker(keepInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if !k.due(e.Stats()) {
			continue
		}
		v, err := e.View(ctx)
		if err != nil {
			continue // the term is over
		}
		if err := k.try(ctx, v); err != nil {
			a.cfg.Log.Error(err, "answers are encoded when they are asked for from now on")
			return
		}
	}
}

// keeper remembers what is encoded.
type keeper struct {
	workshop *workshop
	asked    *wanted

	last    engine.Stats // at the last look
	kept    uint64       // steps at the last View
	skipped int
	batches int
	done    [state.Forms][]keepable // tables of which all forms are kept
}

// due says whether it is time to look for changes.
func (k *keeper) due(now engine.Stats) bool {
	took := now.StepTime - k.last.StepTime
	k.last = now
	if now.Steps == k.kept {
		return false
	}
	if took.Seconds() > keepBusy*keepInterval.Seconds() && k.skipped < keepPatience {
		k.skipped++
		return false
	}
	k.skipped, k.kept = 0, now.Steps
	return true
}

// try keeps a mistake in an encoder from ending the daemon.
func (k *keeper) try(ctx context.Context, v *state.View) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("encoding ahead: %v\n%s", v, debug.Stack())
		}
	}()
	k.keep(ctx, v)
	return nil
}

// keep encodes what isn't yet.
func (k *keeper) keep(ctx context.Context, v *state.View) {
	tables := [state.Forms][]keepable{
		formV0:       v0Keeps(v),
		formProtobuf: getState(v, visible{}).keeps(nil, codec.Protobuf),
	}
	k.workshop.ahead.Enter()
	defer k.workshop.ahead.Leave()
	if k.asked.json.Load() {
		tables[formJSON] = getState(v, visible{}).keeps(nil, codec.JSON)
	}
	for form, now := range tables {
		for i, table := range now {
			var done keepable
			if before := k.done[form]; before != nil {
				done = before[i]
			}
			if !table.keepAll(done, func() bool { return k.rest(ctx) }) {
				return
			}
		}
	}
	k.done = tables
}

// rest lets others work. It says whether to go on.
func (k *keeper) rest(ctx context.Context) bool {
	k.workshop.ahead.Leave()
	defer k.workshop.ahead.Enter()
	stint := keepBatches
	if k.done[formV0] == nil {
		stint = keepFirstBatches
	}
	if k.batches++; k.batches%stint == 0 {
		time.Sleep(keepRest)
	}
	for k.workshop.busy() && ctx.Err() == nil {
		time.Sleep(keepRest)
	}
	return ctx.Err() == nil
}

// keepable is a table of which a form is kept.
type keepable interface {
	// keepAll makes the form of all records, but for those that are in an
	// earlier table of the same kind, or nil. It calls next after each batch,
	// and is done before the end, and false, if that says so.
	keepAll(earlier keepable, next func() bool) bool
}

// keepTable is the keepable that there is.
type keepTable[T any] struct {
	table  state.Table[T]
	form   state.Form
	encode encoder[T]
}

func (t keepTable[T]) keepAll(earlier keepable, next func() bool) bool {
	missing := t.table
	if e, ok := earlier.(keepTable[T]); ok {
		missing = missing.Without(e.table)
	}
	return encodeMissing(missing, t.form, t.encode, next)
}

// v0Keeps are the tables that /state is made of.
func v0Keeps(v *state.View) []keepable {
	agent := element(func(b []byte, a *state.Agent) []byte { return appendSlave(b, a, visible{}) })
	to := []keepable{
		keepTable[state.Agent]{v.Agents, formV0, agent}, keepTable[state.Executor]{v.Executors, formV0, v0Executor},
	}
	for _, table := range taskTables(v) {
		to = append(to, keepTable[mesos.Task]{table, formV0, v0Task})
	}
	return to
}
