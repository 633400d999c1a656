// Package lane keeps long work off the last processor.
//
// Go's scheduler looks at the network when a processor has nothing else to run,
// and otherwise every ten milliseconds. A process in which there is always a
// goroutine that wants to encode or to copy therefore answers small requests
// late, however little each of those goroutines does at a time. In a Lane they
// take turns, in the order in which they came, and fewer run at a time than
// there are processors: those that wait are parked, and a processor is left to
// wait for the network.
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
type Lane struct{ turns chan struct{} }

// New returns a Lane that leaves one processor free, of those that there are now,
// if there are more than one.
func New() *Lane { return WithTurns(runtime.GOMAXPROCS(0) - 1) }

// WithTurns returns a Lane with a number of turns at a time, at least one.
func WithTurns(n int) *Lane { return &Lane{turns: make(chan struct{}, max(n, 1))} }

// Turns is how many can be taken at a time: how many goroutines are worth having
// for one piece of work.
func (l *Lane) Turns() int {
	if l == nil {
		return runtime.GOMAXPROCS(0)
	}
	return cap(l.turns)
}

// Enter waits for a turn.
func (l *Lane) Enter() {
	if l != nil {
		l.turns <- struct{}{}
	}
}

// Leave ends the turn.
func (l *Lane) Leave() {
	if l != nil {
		<-l.turns
	}
}

// Pass lets those who wait have theirs before this work goes on.
func (l *Lane) Pass() {
	l.Leave()
	l.Enter()
}
