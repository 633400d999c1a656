// Package lane keeps long work off the last processor, and off part of the time
// of the others.
//
// Go's scheduler looks at the network when a processor has nothing else to run,
// and otherwise every ten milliseconds. A process in which there is always a
// goroutine that wants to encode or to copy therefore answers small requests
// late, however little each of those goroutines does at a time. In a Lane they
// take turns, in the order in which they came, and fewer run at a time than
// there are processors: those that wait are parked, and a processor is left to
// wait for the network.
//
// That is enough for work that ends. Clients that ask for the next long answer
// as soon as they have one keep the Lane full for ever, and who reads what is
// sent, often on the same machine or within the same quota of a container, needs
// processors, too. So there are paced turns, which take only part of the time as
// long as more than one answer is under way.
//
// A turn is to be short, a tenth of a millisecond or so, and must not wait for
// anything: not for a lock that is held long, nor for a client.
//
// The daemons make one Lane for a process and hand it to internal/httpserver, for
// large writes, and to whoever puts large answers together.
package lane

import "runtime"

// Lane is a number of turns that can be taken at one time. A nil Lane has no
// bound. Any goroutine may use it.
type Lane struct {
	turns chan struct{}
	pace  *pace
	paced bool
}

// New returns a Lane that leaves one processor free, of those that there are now,
// if there are more than one.
func New() *Lane { return WithTurns(runtime.GOMAXPROCS(0) - 1) }

// WithTurns returns a Lane with a number of turns at a time, at least one.
func WithTurns(n int) *Lane {
	n = max(n, 1)
	return &Lane{turns: make(chan struct{}, n), pace: newPace(n)}
}

// Paced returns the same Lane with turns that wait when answers take more than
// their part of the time: see Begin.
func (l *Lane) Paced() *Lane {
	if l == nil {
		return nil
	}
	return &Lane{turns: l.turns, pace: l.pace, paced: true}
}

// Turns is how many can be taken at a time: how many goroutines are worth having
// for one piece of work.
func (l *Lane) Turns() int {
	if l == nil {
		return runtime.GOMAXPROCS(0)
	}
	return cap(l.turns)
}

// Begin says that an answer is under way, from the request to its last byte,
// until end is called. A single one has the whole time of the Lane. While there
// are more, their paced turns may take all of it for a moment, so that a few who
// ask at once don't notice, but no more than a fifth in the long run.
func (l *Lane) Begin() (end func()) {
	if l == nil {
		return func() {}
	}
	l.pace.answers.Add(1)
	return func() { l.pace.answers.Add(-1) }
}

// Enter waits for a turn.
func (l *Lane) Enter() {
	switch {
	case l == nil:
	case l.paced:
		l.pace.wait()
		l.turns <- struct{}{}
		l.pace.enter()
	default:
		l.turns <- struct{}{}
	}
}

// Leave ends the turn.
func (l *Lane) Leave() {
	if l == nil {
		return
	}
	if l.paced {
		l.pace.leave()
	}
	<-l.turns
}

// Pass lets those who wait have theirs before this work goes on.
func (l *Lane) Pass() {
	l.Leave()
	l.Enter()
}
