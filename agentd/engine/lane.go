package engine

import "sync"

// lanes keep calls about one container in order: an update must not overtake
// the launch or a later update.
type lanes struct {
	mu     *sync.Mutex
	queues map[string][]func() // a key is there while its lane runs
}

func newLanes() lanes { return lanes{mu: &sync.Mutex{}, queues: map[string][]func(){}} }

// add queues f and says whether run has to be started for the lane.
func (l lanes) add(key string, f func()) (start bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	queue, running := l.queues[key]
	l.queues[key] = append(queue, f)
	return !running
}

// run calls what is queued in a lane until nothing is.
func (l lanes) run(key string) {
	for {
		l.mu.Lock()
		queue := l.queues[key]
		if len(queue) == 0 {
			delete(l.queues, key)
			l.mu.Unlock()
			return
		}
		l.queues[key] = queue[1:]
		l.mu.Unlock()
		queue[0]()
	}
}
