package engine

import (
	"context"
	"errors"
	"time"

	"github.com/go-logr/logr"
	"google.golang.org/protobuf/proto"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	registrypb "github.com/mesos-operator/mesos-operator/api/mesos/messages/registry"
	"github.com/mesos-operator/mesos-operator/internal/libprocess"
	"github.com/mesos-operator/mesos-operator/masterd/allocator"
	"github.com/mesos-operator/mesos-operator/masterd/registry"
	"github.com/mesos-operator/mesos-operator/masterd/state"
)

// Machine is the state machine that an Engine runs: a *state.Machine.
type Machine interface {
	Step(in state.Input, now time.Time) []state.Effect
	View() *state.View
}

// Allocator decides who gets which free resources. The engine calls it from
// one goroutine.
type Allocator interface {
	// Apply takes in what happened, and says whether an allocation is due
	// before the next interval.
	Apply(e state.AllocatorEffect, now time.Time) (due bool)
	// Allocate proposes what to offer now, and whom to ask to give something
	// back.
	Allocate(now time.Time) state.Allocated
	// Stats is for metrics.
	Stats() allocator.Stats
}

// Config is what an Engine runs with. Fields without a default are required.
type Config struct {
	Machine   Machine
	Allocator Allocator
	// Term and Registry are what the store gave this leader.
	Term     registry.Term
	Registry *registrypb.Registry
	// Node is where the process "master" and its helpers are spawned.
	Node *libprocess.Node
	// Authenticate is told that a client at a PID wants a process to be
	// authenticated. Default: it is refused.
	Authenticate func(from libprocess.PID, m *messages.AuthenticateMessage) error
	// Principal tells who authenticated at a PID, "" if nobody did. Default:
	// nobody ever does.
	Principal func(libprocess.PID) string

	// AllocationInterval is the time between two allocations when nothing
	// happens that asks for one (--allocation_interval). Default 1 s.
	AllocationInterval time.Duration
	// HeartbeatInterval is the time between HEARTBEAT events on operator
	// streams. Default 15 s, as in Mesos, which has no flag for it.
	HeartbeatInterval time.Duration

	// MaxQueuedInputs bounds what waits for the loop from outside. Default
	// 16,384: with an agent's reregistration of 10 kB each, 160 MB.
	MaxQueuedInputs int
	// MaxSchedulerEvents bounds the events that wait for one framework to
	// read them. Default 131,072: more than the updates of 100,000 tasks that
	// start at once, about 200 MB in the worst case.
	MaxSchedulerEvents int
	// MaxOperatorEvents is how many events a subscriber of the operator API may
	// be behind. Default 65,536, and less if they have more than 64 MiB
	// together: that is all that the subscribers of one content type need.
	MaxOperatorEvents int
	// MaxSubscribers bounds the subscribers of the operator API; the oldest
	// has to go when there is one more
	// (--max_operator_event_stream_subscribers). Default 1,000.
	MaxSubscribers int

	// RegistrySize tells the size of the registry in bytes, for metrics.
	// Default: that of Registry.
	RegistrySize func() int
	// Stored is told how long each write of the registry took. Default: nobody.
	Stored func(time.Duration)
	// Allocated is told how long each allocation took. Default: nobody.
	Allocated func(time.Duration)
	// AllocationWaited is told how long each allocation was due before it
	// began. Default: nobody.
	AllocationWaited func(time.Duration)
	Log              logr.Logger
}

func (c Config) withDefaults() Config {
	if c.Authenticate == nil {
		c.Authenticate = func(libprocess.PID, *messages.AuthenticateMessage) error {
			return errors.New("this master authenticates nobody")
		}
	}
	if c.Principal == nil {
		c.Principal = func(libprocess.PID) string { return "" }
	}
	if c.Allocated == nil {
		c.Allocated = func(time.Duration) {}
	}
	if c.AllocationWaited == nil {
		c.AllocationWaited = func(time.Duration) {}
	}
	if c.RegistrySize == nil {
		c.RegistrySize = func() int { return proto.Size(c.Registry) }
	}
	setDefault(&c.AllocationInterval, time.Second)
	setDefault(&c.HeartbeatInterval, 15*time.Second)
	setDefault(&c.MaxQueuedInputs, 1<<14)
	setDefault(&c.MaxSchedulerEvents, 1<<17)
	setDefault(&c.MaxOperatorEvents, 1<<16)
	setDefault(&c.MaxSubscribers, 1000)
	if c.Log.GetSink() == nil {
		c.Log = logr.Discard()
	}
	return c
}

func setDefault[T comparable](field *T, value T) {
	if *field == *new(T) {
		*field = value
	}
}

// Validate reports what is missing or wrong.
func (c Config) Validate() error {
	var errs []error
	for what, missing := range map[string]bool{
		"machine":   c.Machine == nil,
		"allocator": c.Allocator == nil,
		"term":      c.Term == nil,
		"registry":  c.Registry == nil,
		"node":      c.Node == nil,
	} {
		if missing {
			errs = append(errs, errors.New("no "+what))
		}
	}
	if c.AllocationInterval < 0 || c.HeartbeatInterval < 0 {
		errs = append(errs, errors.New("an interval is negative"))
	}
	if c.MaxQueuedInputs < 0 || c.MaxSchedulerEvents < 0 || c.MaxOperatorEvents < 0 || c.MaxSubscribers < 0 {
		errs = append(errs, errors.New("a bound is negative"))
	}
	return errors.Join(errs...)
}

// ErrStopped means that this master no longer leads, or is going down.
var ErrStopped = errors.New("this master no longer leads")

// stopped turns the end of a caller's context or of the engine into an error.
func (e *Engine) stopped(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return ErrStopped
}
