package libprocess

// outgoing is a message on its way out.
type outgoing struct {
	from, to PID
	name     string
	body     []byte
}

// size is what the message counts against Config.MaxQueuedBytes: its bytes and
// a rough sum for the rest.
func (o outgoing) size() int { return len(o.body) + len(o.name) + 256 }

// queue is a FIFO of outgoing messages with bounds.
type queue struct {
	items []outgoing // items[head:] wait
	head  int
	bytes int
}

func (q *queue) len() int { return len(q.items) - q.head }

// push is false if the message would exceed the bounds. One message alone is
// always taken.
func (q *queue) push(o outgoing, cfg Config) bool {
	if n := q.len(); n > 0 && (n >= cfg.MaxQueuedMessages || q.bytes+o.size() > cfg.MaxQueuedBytes) {
		return false
	}
	if q.head > 64 && q.head > len(q.items)/2 { // reclaim what was popped
		n := copy(q.items, q.items[q.head:])
		clear(q.items[n:])
		q.items, q.head = q.items[:n], 0
	}
	q.items = append(q.items, o)
	q.bytes += o.size()
	return true
}

// nextSize is the size of the message that pop would return, 0 if none.
func (q *queue) nextSize() int {
	if q.len() == 0 {
		return 0
	}
	return q.items[q.head].size()
}

func (q *queue) pop() (outgoing, bool) {
	if q.len() == 0 {
		return outgoing{}, false
	}
	o := q.items[q.head]
	q.items[q.head] = outgoing{}
	q.head++
	q.bytes -= o.size()
	if q.len() == 0 {
		q.shrink()
	}
	return o, true
}

// shrink gives back what a burst took.
func (q *queue) shrink() {
	if cap(q.items) > 1024 {
		q.items = nil
	}
	q.items, q.head = q.items[:0], 0
}

// clear empties the queue and returns how many messages it held.
func (q *queue) clear() int {
	n := q.len()
	*q = queue{}
	return n
}
