package sim

import "time"

// network carries what nodes send to each other. Between two nodes there is one
// connection: what goes one way arrives in order, after a while, or not at all
// once the connection breaks.
type network struct {
	sim         *sim
	connections map[pair]*connection
}

// pair names two nodes, "m" for the master, "a0", "f0" and so on, in the order
// of their names.
type pair struct{ a, b string }

func pairOf(x, y string) pair {
	if x > y {
		x, y = y, x
	}
	return pair{x, y}
}

// connection is between two nodes. It is never closed for good: after a break
// the next message opens it again.
type connection struct {
	// epoch counts breaks: what was sent before the last does not arrive.
	epoch int
	// last is when the last message arrives, by direction.
	last map[string]time.Time
	// cut says that nothing gets through. The first loss dooms the
	// connection: it breaks as soon as somebody notices.
	cut, doomed bool
	// deaf are the ends that hear nothing of the other one: a cut of one
	// direction.
	deaf map[string]bool
	// watchers want to know about the next break.
	watchers []watcher
}

type watcher struct {
	node string
	tell func()
}

func (n *network) between(x, y string) *connection {
	p := pairOf(x, y)
	c := n.connections[p]
	if c == nil {
		c = &connection{last: map[string]time.Time{}}
		n.connections[p] = c
	}
	return c
}

// send lets something arrive at a node, if the connection holds so long.
func (n *network) send(from, to string, arrive func()) {
	c := n.between(from, to)
	if c.cut || c.doomed || c.deaf[to] {
		n.doom(from, to)
		return
	}
	at := n.sim.now.Add(time.Millisecond + n.sim.upTo(5*time.Millisecond))
	if n.sim.troubled() && n.sim.chance(0.02) {
		at = at.Add(n.sim.upTo(2 * time.Second))
	}
	if at.Before(c.last[to]) {
		at = c.last[to]
	}
	c.last[to] = at
	epoch := c.epoch
	n.sim.at(at, func() {
		switch {
		case c.epoch != epoch:
		case c.cut, c.deaf[to]:
			n.doom(from, to)
		default:
			arrive()
		}
	})
}

// sendAside is send over a connection beside the others, as HTTP clients have
// several: what goes over it may be overtaken, and overtake.
func (n *network) sendAside(from, to string, arrive func()) {
	c := n.between(from, to)
	if c.cut || c.doomed {
		return
	}
	epoch := c.epoch
	n.sim.after(n.sim.upTo(2*time.Second), func() {
		if c.epoch == epoch && !c.cut {
			arrive()
		}
	})
}

// stall keeps a node from reading for a time: what is sent to it waits.
func (n *network) stall(node, from string, d time.Duration) {
	c := n.between(node, from)
	if until := n.sim.now.Add(d); until.After(c.last[node]) {
		c.last[node] = until
	}
}

// doom breaks a connection that lost something, a while later: TCP needs time
// to notice.
func (n *network) doom(x, y string) {
	c := n.between(x, y)
	if c.doomed {
		return
	}
	c.doomed = true
	epoch := c.epoch
	n.sim.after(time.Second+n.sim.upTo(20*time.Second), func() {
		if c.epoch == epoch {
			n.breakUp(x, y)
		}
	})
}

// watch calls tell once when the connection between a node and another breaks.
func (n *network) watch(node, other string, tell func()) {
	c := n.between(node, other)
	c.watchers = append(c.watchers, watcher{node, tell})
}

// forget drops the watchers of a node that crashed.
func (n *network) forget(node string) {
	for _, c := range n.connections {
		kept := c.watchers[:0]
		for _, w := range c.watchers {
			if w.node != node {
				kept = append(kept, w)
			}
		}
		c.watchers = kept
	}
}

// breakUp ends a connection: what is under way is lost, and both sides learn.
func (n *network) breakUp(x, y string) {
	c := n.between(x, y)
	c.epoch++
	c.doomed = false
	watchers := c.watchers
	c.watchers = nil
	for _, w := range watchers {
		n.sim.after(n.sim.upTo(50*time.Millisecond), w.tell)
	}
}

// cutOff keeps two nodes apart for a time.
func (n *network) cutOff(x, y string, d time.Duration) {
	c := n.between(x, y)
	c.cut = true
	n.sim.after(d, func() { c.cut = false })
}
