package state

import (
	"errors"
	"fmt"
	"time"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// Messages of native drivers pass at the rate that --rate_limits allows their
// principal, in order and evenly spaced; what is too much waits, and what is
// more than may wait is dropped, which makes the driver abort. Frameworks on the
// v1 API are not limited, as in Mesos: each of their calls has an answer to wait
// for.

// throttles are the rates of drivers and who they are.
type throttles struct {
	byPrincipal map[string]*throttle // nil for a principal that is not limited
	others      *throttle            // those without a limit of their own; may be nil
	// drivers are the frameworks that subscribed as drivers, connected or not.
	drivers map[PID]*framework
}

// throttle lets inputs through one after the other.
type throttle struct {
	timer    Timer
	spacing  time.Duration
	capacity *uint64 // nil is no bound

	next     time.Time // when the next may pass
	waiting  []Input
	messages uint64 // of those that wait
}

func newThrottles(limits *mesos.RateLimits) throttles {
	t := throttles{byPrincipal: map[string]*throttle{}, drivers: map[PID]*framework{}}
	for _, l := range limits.GetLimits() {
		t.byPrincipal[l.GetPrincipal()] = newThrottle("principal "+l.GetPrincipal(), l.Qps, l.Capacity)
	}
	if limits != nil {
		t.others = newThrottle("others", limits.AggregateDefaultQps, limits.AggregateDefaultCapacity)
	}
	return t
}

// newThrottle returns nil without a rate: there is no limit then.
func newThrottle(id string, qps *float64, capacity *uint64) *throttle {
	if qps == nil {
		return nil
	}
	return &throttle{
		timer:    Timer{TimerThrottle, id},
		spacing:  time.Duration(float64(time.Second) / *qps),
		capacity: capacity,
	}
}

// validateRateLimits checks what --rate_limits says.
func validateRateLimits(limits *mesos.RateLimits) error {
	var errs []error
	seen := map[string]bool{}
	for _, l := range limits.GetLimits() {
		if seen[l.GetPrincipal()] {
			errs = append(errs, fmt.Errorf("rate_limits has principal '%s' twice", l.GetPrincipal()))
		}
		seen[l.GetPrincipal()] = true
		errs = append(errs, validateRate("qps of principal '"+l.GetPrincipal()+"'", l.Qps))
	}
	if limits != nil {
		errs = append(errs, validateRate("aggregate_default_qps", limits.AggregateDefaultQps))
	}
	return errors.Join(errs...)
}

// minRate bounds the time between two messages: a week is as good as never.
const minRate = 1.0 / (7 * 24 * 3600)

func validateRate(what string, qps *float64) error {
	if qps != nil && !(*qps >= minRate) {
		return fmt.Errorf("rate_limits: %s is %g: must be positive", what, *qps)
	}
	return nil
}

// of returns what limits a framework, nil if nothing does.
func (t *throttles) of(f *framework) *throttle {
	if p := f.info.Principal; p != nil {
		if own, listed := t.byPrincipal[*p]; listed {
			return own
		}
	}
	return t.others
}

// messageArrived takes a message in, now or when its sender's rate allows.
func (m *Machine) messageArrived(in PeerMessage) {
	f := m.throttles.drivers[in.From]
	if f == nil {
		m.peerMessage(in)
		return
	}
	m.countReceived(f)
	t := m.throttles.of(f)
	switch {
	case t == nil:
		m.process(in)
	case t.capacity != nil && t.messages >= *t.capacity:
		m.warn("dropping a message of a driver over its capacity", "from", in.From,
			"principal", f.info.GetPrincipal(), "message", messageName(in.Message), "capacity", *t.capacity)
		m.send(in.From, frameworkError(fmt.Sprintf(
			"%s is dropped: %d messages wait, which is the capacity of the rate limit", messageName(in.Message), *t.capacity)))
	default:
		t.messages++
		t.waiting = append(t.waiting, in)
		m.passOn(t)
	}
}

// peerGone takes the end of a connection in, after the messages that came over
// it.
func (m *Machine) peerGone(in PeerExited) {
	if f := m.throttles.drivers[in.PID]; f != nil {
		if t := m.throttles.of(f); t != nil {
			t.waiting = append(t.waiting, in)
			m.passOn(t)
			return
		}
	}
	m.peerExited(in.PID)
}

// passOn lets through what may pass by now, and comes back for the rest.
func (m *Machine) passOn(t *throttle) {
	for len(t.waiting) > 0 && !m.now.Before(t.next) {
		in := t.waiting[0]
		t.waiting[0] = nil
		t.waiting = t.waiting[1:]
		t.next = m.now.Add(t.spacing)
		switch in := in.(type) {
		case PeerMessage:
			t.messages--
			m.process(in)
		case PeerExited:
			m.peerExited(in.PID)
		}
	}
	if _, armed := m.timers[t.timer]; len(t.waiting) > 0 && !armed {
		m.arm(t.timer, t.next.Sub(m.now))
	}
}

func (m *Machine) throttleFired(timer Timer) {
	if t := m.throttles.others; t != nil && t.timer == timer {
		m.passOn(t)
		return
	}
	for _, t := range m.throttles.byPrincipal {
		if t != nil && t.timer == timer {
			m.passOn(t)
			return
		}
	}
}

// process does what a driver's message asks for, and counts it.
func (m *Machine) process(in PeerMessage) {
	f := m.throttles.drivers[in.From]
	m.peerMessage(in)
	if f != nil {
		m.countProcessed(f)
	}
}
