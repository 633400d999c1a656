package libprocess

import "sync"

// goroutines are those that a Node started and waits for.
type goroutines struct {
	mu      sync.Mutex
	stopped bool
	group   sync.WaitGroup
}

// start is false, and f doesn't run, after stop.
func (g *goroutines) start(f func()) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopped {
		return false
	}
	g.group.Go(f)
	return true
}

func (g *goroutines) stop() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.stopped = true
}

func (g *goroutines) wait() { g.group.Wait() }
