package engine

import (
	"context"
	"time"

	"github.com/mesos-operator/mesos-operator/agentd/oversubscription"
	"github.com/mesos-operator/mesos-operator/agentd/state"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// Oversubscription is who decides what the agent lends of what its tasks have.
// Without an estimator it lends nothing, without a controller it takes nothing
// back.
type Oversubscription struct {
	Estimator  oversubscription.Estimator
	Controller oversubscription.Controller
	// EstimationInterval is the pause between estimates, CorrectionInterval that
	// between corrections: --oversubscribed_resources_interval and
	// --qos_correction_interval_min.
	EstimationInterval, CorrectionInterval time.Duration
}

// Mesos's default, and a lower bound: its own for corrections is 0, which keeps
// a processor busy with load averages that the kernel renews every 5 seconds.
const (
	defaultEstimationInterval = 15 * time.Second
	minOversubscriptionPause  = 100 * time.Millisecond
)

func (o Oversubscription) withDefaults() Oversubscription {
	setDefault(&o.EstimationInterval, defaultEstimationInterval)
	o.EstimationInterval = max(o.EstimationInterval, minOversubscriptionPause)
	o.CorrectionInterval = max(o.CorrectionInterval, minOversubscriptionPause)
	return o
}

// oversubscribe begins to estimate and to correct, as the agent is recovered.
func (e *Engine) oversubscribe(ctx context.Context) {
	o := e.cfg.Oversubscription
	if !e.cfg.State.Reconnect {
		return
	}
	if o.Estimator != nil {
		e.later(func() { every(ctx, o.EstimationInterval, e.estimate) })
	}
	if o.Controller != nil {
		e.later(func() { every(ctx, o.CorrectionInterval, e.correct) })
	}
}

// every calls f with pauses in between until the context ends.
func every(ctx context.Context, pause time.Duration, f func(context.Context)) {
	for {
		f(ctx)
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// estimate tells the machine what is lent in all: what is free to lend, and what
// executors hold of it already, both of the same moment.
func (e *Engine) estimate(ctx context.Context) {
	usage, err := e.usage(ctx)
	if err != nil {
		return // the agent ends
	}
	total, err := e.cfg.Oversubscription.Estimator.Oversubscribable(ctx, usage)
	if err != nil {
		e.log.Error(err, "estimating what can be lent")
		return
	}
	for _, x := range usage.Executors {
		total = total.Add(x.Allocated.Revocable().Unallocate())
	}
	e.submitLater(state.Lent{Total: total})
}

// correct has executors ended that are in the way of others.
func (e *Engine) correct(ctx context.Context) {
	usage, err := e.usage(ctx)
	if err != nil {
		return
	}
	kills, err := e.cfg.Oversubscription.Controller.Corrections(ctx, usage)
	if err != nil {
		e.log.Error(err, "looking for executors to preempt")
		return
	}
	for _, k := range kills {
		e.submitLater(state.Preempt(k))
	}
}

// usage is what runs now.
func (e *Engine) usage(ctx context.Context) (oversubscription.Usage, error) {
	v, err := e.View(ctx)
	if err != nil {
		return oversubscription.Usage{}, err
	}
	var out oversubscription.Usage
	for _, f := range v.Frameworks {
		for _, x := range f.Executors {
			if x.Phase == state.Terminated {
				continue
			}
			out.Executors = append(out.Executors, oversubscription.Executor{
				Framework: f.ID, ID: x.ID, Container: x.Container, Allocated: resources.Of(x.Resources...),
			})
		}
	}
	return out, nil
}
