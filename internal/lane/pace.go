package lane

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	// share is the part of the Lane's time that paced turns may take in the long
	// run while more than one answer is under way. It is chosen by measuring: at a
	// fifth the 99th percentile of small requests doesn't double on two processors,
	// at three tenths it does, and the answers still fill a network of two gigabits.
	share = 0.2
	// burst is how much time of one place turns may take beyond that at once: what
	// it takes to answer who asks about 10,000 agents.
	burst = 100 * time.Millisecond
)

// pace is a leaky bucket of the time that turns took: it drains all the time and
// fills while there are turns and more than one answer.
type pace struct {
	answers atomic.Int32 // under way
	// first is a place for who waits for the bucket. The others wait behind him,
	// so that the order is kept, and none of them has a turn meanwhile, which
	// turns that aren't paced can have.
	first chan struct{}

	mu      sync.Mutex
	drain   float64 // per second, in seconds
	level   time.Duration
	inside  int
	updated time.Time
}

func newPace(turns int) *pace {
	return &pace{first: make(chan struct{}, 1), drain: share * float64(turns), level: -burst, updated: time.Now()}
}

// wait waits until a turn may begin.
func (p *pace) wait() {
	p.first <- struct{}{}
	defer func() { <-p.first }()
	if due := p.due(); due > 0 {
		time.Sleep(due)
	}
}

func (p *pace) due() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.advance()
	if p.level <= 0 || !p.crowded() {
		return 0
	}
	return time.Duration(float64(p.level) / p.drain)
}

func (p *pace) enter() { p.change(1) }

func (p *pace) leave() { p.change(-1) }

func (p *pace) change(by int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.advance()
	p.inside += by
}

func (p *pace) crowded() bool { return p.answers.Load() > 1 }

// advance brings the level up to date.
func (p *pace) advance() {
	now := time.Now()
	passed := now.Sub(p.updated)
	p.updated = now
	change := -p.drain * float64(passed)
	if p.crowded() {
		change += float64(p.inside) * float64(passed)
	}
	p.level = time.Duration(max(float64(p.level)+change, -float64(burst)))
}
