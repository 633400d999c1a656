package state

import (
	"fmt"
	"slices"
	"time"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// RateLimit is how often something may happen: Permits times in Per. Like the
// limiter of libprocess it saves nothing up: there is one permit every
// Per/Permits, and the first one is there at once. The zero value is no limit.
type RateLimit struct {
	Permits int
	Per     time.Duration
}

func (l RateLimit) interval() time.Duration {
	if l.Permits <= 0 {
		return 0
	}
	return l.Per / time.Duration(l.Permits)
}

// removalCause is why an agent is going to be marked unreachable.
type removalCause uint8

const (
	// removalPing: it does not answer pings. A pong cancels it.
	removalPing removalCause = iota + 1
	// removalDisconnected: its connection broke and it did not register
	// again. When it does, that cancels it.
	removalDisconnected
	// removalRecovery: the registry knew it and it did not come to the new
	// leader. When it does, that cancels it.
	removalRecovery
)

// removal is an agent that waits to be marked unreachable.
type removal struct {
	agent AgentID
	cause removalCause
	info  *mesos.AgentInfo
}

// removals spreads the marking of agents over time, so that a mistake of the
// network, or of a master, doesn't cost all of them at once
// (--agent_removal_rate_limit).
type removals struct {
	waiting []removal
	// next is when the next permit is there.
	next time.Time
}

// scheduleRemoval marks an agent unreachable as soon as the rate limit allows.
func (m *Machine) scheduleRemoval(r removal) {
	q := &m.removals
	if slices.ContainsFunc(q.waiting, func(w removal) bool { return w.agent == r.agent && w.cause == r.cause }) {
		return
	}
	m.stats.UnreachableScheduled++
	interval := m.cfg.AgentRemovalRateLimit.interval()
	if len(q.waiting) == 0 && !m.now.Before(q.next) {
		q.next = m.now.Add(interval)
		m.markRemoval(r)
		return
	}
	m.info("an agent will be marked unreachable when the rate limit allows", "agent_id", r.agent,
		"hostname", r.info.GetHostname(), "waiting", len(q.waiting)+1)
	q.waiting = append(q.waiting, r)
	if len(q.waiting) == 1 {
		m.arm(Timer{Kind: TimerRemoval}, q.next.Sub(m.now))
	}
}

// removalTimeout takes the next permit.
func (m *Machine) removalTimeout() {
	q := &m.removals
	if len(q.waiting) == 0 {
		return
	}
	r := q.waiting[0]
	q.waiting = q.waiting[1:]
	q.next = m.now.Add(m.cfg.AgentRemovalRateLimit.interval())
	if len(q.waiting) > 0 {
		m.arm(Timer{Kind: TimerRemoval}, q.next.Sub(m.now))
	}
	m.markRemoval(r)
}

// cancelRemoval gives up what waits to be done to an agent for one of the
// causes. No permit is used up for it.
func (m *Machine) cancelRemoval(id AgentID, causes ...removalCause) {
	q := &m.removals
	if len(q.waiting) == 0 {
		return
	}
	before := len(q.waiting)
	q.waiting = slices.DeleteFunc(q.waiting, func(r removal) bool {
		return r.agent == id && slices.Contains(causes, r.cause)
	})
	canceled := before - len(q.waiting)
	if canceled == 0 {
		return
	}
	m.stats.UnreachableCanceled += uint64(canceled)
	m.info("an agent is back in time: not marking it unreachable", "agent_id", id)
	if len(q.waiting) == 0 {
		m.disarm(Timer{Kind: TimerRemoval})
	}
}

// markRemoval marks an agent whose turn it is. One that is on the move is left
// to whatever moves it.
func (m *Machine) markRemoval(r removal) {
	if m.former.moves[r.agent] != nil {
		m.stats.UnreachableCanceled++
		m.debug("not marking an agent unreachable: it is on the move", "agent_id", r.agent)
		return
	}
	m.markUnreachable(r.info, m.removalText(r.cause))
}

func (m *Machine) removalText(c removalCause) string {
	switch c {
	case removalDisconnected:
		return fmt.Sprintf("the agent did not come back within %v after its connection broke", m.cfg.AgentReregisterTimeout)
	case removalRecovery:
		return fmt.Sprintf("the agent did not come back within %v after a change of leader", m.cfg.AgentReregisterTimeout)
	}
	return "the agent did not answer pings"
}
