package libprocess

import (
	"fmt"
	"sync"
)

// loopback carries messages between processes of one node: through a queue
// like any other, so that no process runs inside another's Send.
type loopback struct {
	node *Node

	mu       sync.Mutex
	queue    queue
	draining bool
}

func (l *loopback) send(out outgoing) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.node.ctx.Err() != nil {
		return ErrClosed
	}
	if !l.queue.push(out, l.node.cfg) {
		return ErrOverflow // only this message is lost: a node can't lose touch with itself
	}
	if !l.draining {
		l.draining = true
		l.node.start(l.drain)
	}
	return nil
}

func (l *loopback) drain() {
	for {
		l.mu.Lock()
		out, ok := l.queue.pop()
		l.draining = ok
		l.mu.Unlock()
		if !ok || l.node.ctx.Err() != nil {
			return
		}
		m := Message{Name: out.name, From: out.from, To: out.to, Body: out.body}
		if err := l.node.deliver(l.node.ctx, m); err != nil {
			l.node.logDropped(m, err)
		}
	}
}

// localLinks are the links between processes of one node.
type localLinks struct {
	mu    sync.Mutex
	links linkSet
}

// add links at once if the process runs, and says that it exited if not.
func (s *localLinks) add(n *Node, l link) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.links == nil {
		s.links = linkSet{}
	}
	if !s.links.add(l) {
		return ErrClosed
	}
	// After add: a process that terminates now finds the link, or is gone here.
	if n.process(l.to.ID) == nil {
		taken := s.links.take(func(other link) bool { return other == l })
		n.start(func() { notify(taken) })
	}
	return nil
}

func (s *localLinks) remove(l link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.links.remove(l)
}

// take removes and returns the links to pid.
func (s *localLinks) take(pid PID) []link {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.links.take(func(l link) bool { return l.to == pid })
}

// remove ends a process's entry, so that its ID is free again.
func (n *Node) remove(p *Process) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.processes[p.pid.ID] == p {
		delete(n.processes, p.pid.ID)
	}
}

func (n *Node) logDropped(m Message, err error) {
	n.cfg.Log.V(1).Info("message dropped", "message", m.Name, "from", m.From.String(),
		"to", m.To.String(), "reason", fmt.Sprint(err))
}
