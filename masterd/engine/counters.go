package engine

import (
	"sync/atomic"
	"time"
)

// counters are the engine's own figures.
type counters struct {
	steps       atomic.Uint64
	stepTime    atomic.Int64 // ns
	slowStreams atomic.Uint64
	malformed   atomic.Uint64

	authentications atomic.Uint64
}

func (c *counters) step(took time.Duration) {
	c.steps.Add(1)
	c.stepTime.Add(int64(took))
}

// Stats are the engine's own figures, beside those of the machine in a View.
type Stats struct {
	// Steps counts inputs that the machine has taken in, StepTime is what
	// they took in total.
	Steps    uint64
	StepTime time.Duration
	// QueuedInputs is what waits for the loop, QueuedWrites the registry
	// operations that are not durable yet.
	QueuedInputs, QueuedWrites int
	// QueuedAllocations is what the allocator has not been told yet.
	QueuedAllocations int
	// SlowSubscribers counts subscribers that were cut off.
	SlowSubscribers uint64
	// MalformedMessages counts libprocess messages that could not be decoded.
	MalformedMessages uint64
	// Authentications counts those that agents and native drivers asked for.
	Authentications uint64
	// RegistryBytes is the size of the registry.
	RegistryBytes int
	// SchedulerStreams and OperatorStreams are open now.
	SchedulerStreams, OperatorStreams int
}

// Stats returns the figures of now.
func (e *Engine) Stats() Stats {
	return Stats{
		Steps:             e.counters.steps.Load(),
		StepTime:          time.Duration(e.counters.stepTime.Load()),
		QueuedInputs:      e.inputs.len(),
		QueuedWrites:      e.writer.Queued(),
		QueuedAllocations: e.alloc.effects.len(),
		SlowSubscribers:   e.counters.slowStreams.Load(),
		MalformedMessages: e.counters.malformed.Load(),
		Authentications:   e.counters.authentications.Load(),
		RegistryBytes:     e.cfg.RegistrySize(),
		SchedulerStreams:  e.streams.len(),
		OperatorStreams:   e.hub.len(),
	}
}
