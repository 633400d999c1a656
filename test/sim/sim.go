package sim

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
)

// Config says what is simulated.
type Config struct {
	Seed uint64
	// Masters is how many there are. One stands for a leader that never
	// misses its successor: see doc.go.
	Masters int
	// Sessions says that masters are elected and found as with ZooKeeper: a
	// leader may take long to notice that it is deposed, and who has seen its
	// successor doesn't go back. Otherwise it is as with raft: a leader gives
	// up within its lease, and is found by asking the masters.
	Sessions   bool
	Agents     int
	Frameworks int
	// Operator says that somebody changes weights, quotas, maintenance and
	// draining meanwhile.
	Operator bool
	// Trouble is how long faults happen and tasks are launched.
	Trouble time.Duration
	// Peace is how long there are neither, before everything must be settled.
	// Agents back off up to ten minutes between attempts to deliver an update.
	Peace time.Duration
	// Trace gets every line of the trace, if it is set.
	Trace func(line string)
}

// DefaultConfig returns a run that takes a fraction of a second.
func DefaultConfig(seed uint64) Config {
	frameworks := 3
	if seed%8 == 0 {
		frameworks = len(shapes)
	}
	return Config{Seed: seed, Agents: 4, Frameworks: frameworks, Operator: seed%2 == 0, Trouble: 2 * time.Minute, Peace: 30 * time.Minute}
}

// maxEvents bounds a run: peers that go in circles without time passing.
const maxEvents = 2_000_000

// traceLength is how many of the last lines a failure shows.
const traceLength = 120

// sim is one run.
type sim struct {
	cfg    Config
	rng    *rand.Rand
	now    time.Time
	end    time.Time // of the trouble
	events events
	serial uint64
	net    network

	// master leads, or led last; masters are all of them.
	master  *master
	masters []*master
	store   *store
	// vacant is since when no master is followed by a majority; seen is the
	// term of the leader that a client saw last.
	vacant     time.Time
	seen       map[string]int
	agents     []*agent
	frameworks []*framework
	volumes    volumes

	trace []string
	err   error
	stats Stats
}

// Stats says what happened in a run, for tests that want to be sure that
// something did.
type Stats struct {
	Events, Launched, Ended, AgentCrashes, MasterFailovers, FrameworkCrashes, Cuts, Unreachable int
	Stalls, Repeated, Overtaken, Suppressed, RoleChanges, Removed                               int
	Policies, ShutDowns, Operations, Resized, Shared, Mounted                                   int
	MasterStats
}

// Run simulates and returns the first broken promise, with what led to it.
func Run(cfg Config) (Stats, error) {
	s := &sim{
		cfg:     cfg,
		rng:     rand.New(rand.NewPCG(cfg.Seed, 0)),
		now:     time.Unix(1_000_000_000, 0).UTC(),
		volumes: volumes{},
	}
	s.end = s.now.Add(cfg.Trouble)
	s.net = network{sim: s, connections: map[pair]*connection{}}
	s.start()
	s.runUntil(s.end)
	s.makePeace()
	s.runUntil(s.end.Add(cfg.Peace))
	if s.err == nil {
		s.checkSettled()
	}
	if s.err != nil {
		return s.stats, fmt.Errorf("seed %d at %v: %w\n%s", cfg.Seed, s.now.Sub(s.end.Add(-cfg.Trouble)), s.err, strings.Join(s.trace, "\n"))
	}
	return s.stats, nil
}

func (s *sim) start() {
	s.found()
	for i := range s.cfg.Agents {
		s.agents = append(s.agents, newAgent(s, i))
	}
	for i := range s.cfg.Frameworks {
		s.frameworks = append(s.frameworks, newFramework(s, i))
	}
	s.after(s.upTo(5*time.Second), s.fault)
	if s.cfg.Operator {
		newOperator(s)
	}
}

// troubled says whether faults may happen.
func (s *sim) troubled() bool { return s.now.Before(s.end) }

// runUntil lets things happen in the order of their times.
func (s *sim) runUntil(end time.Time) {
	for len(s.events) > 0 && s.err == nil && !s.events[0].at.After(end) {
		e := heap.Pop(&s.events).(event)
		s.now = e.at
		e.do()
		if s.stats.Events++; s.stats.Events > maxEvents {
			s.fail("no end after %d events", maxEvents)
		}
	}
	if s.err == nil {
		s.now = end
	}
}

// after schedules something.
func (s *sim) after(d time.Duration, do func()) { s.at(s.now.Add(d), do) }

func (s *sim) at(t time.Time, do func()) {
	s.serial++
	heap.Push(&s.events, event{t, s.serial, do})
}

// upTo draws a time.
func (s *sim) upTo(d time.Duration) time.Duration { return time.Duration(s.rng.Int64N(int64(d) + 1)) }

// chance is true in p of all cases.
func (s *sim) chance(p float64) bool { return s.rng.Float64() < p }

func (s *sim) uuid() []byte {
	u := make([]byte, 16)
	for i := range u {
		u[i] = byte(s.rng.Uint32())
	}
	u[6], u[8] = u[6]&0x0f|0x40, u[8]&0x3f|0x80
	return u
}

// fail ends the run, for the first broken promise.
func (s *sim) fail(format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf(format, args...)
	}
}

// note adds to the trace.
func (s *sim) note(format string, args ...any) {
	line := fmt.Sprintf("%10.3f ", s.now.Sub(s.end.Add(-s.cfg.Trouble)).Seconds()) + fmt.Sprintf(format, args...)
	if s.cfg.Trace != nil {
		s.cfg.Trace(line)
	}
	if len(s.trace) == traceLength {
		s.trace = append(s.trace[:0], s.trace[1:]...)
	}
	s.trace = append(s.trace, line)
}

// carry is a message after its way over the wire.
func carry[M proto.Message](s *sim, m M) M {
	data, err := proto.Marshal(m)
	if err != nil {
		s.fail("a message that can't be encoded: %v: %v", err, m)
	}
	arrived := m.ProtoReflect().New().Interface().(M)
	if err := proto.Unmarshal(data, arrived); err != nil {
		s.fail("a message that can't be decoded: %v", err)
	}
	return arrived
}

// name is a message's type and, for the trace, what it is about.
func name(m proto.Message) string { return string(m.ProtoReflect().Descriptor().Name()) }

// event is something that is going to happen.
type event struct {
	at     time.Time
	serial uint64 // events of one time keep their order
	do     func()
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return e[i].at.Before(e[j].at) || e[i].at.Equal(e[j].at) && e[i].serial < e[j].serial
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	old := *e
	last := old[len(old)-1]
	*e = old[:len(old)-1]
	return last
}
