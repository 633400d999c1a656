package libprocess

import (
	"context"
	"sync"
	"time"
)

// peer is everything about one remote address: the connection to it, what
// waits to be sent there and who linked to it. It lives as long as a
// connection is wanted; afterwards a new one takes its place in Node.peers.
type peer struct {
	node *Node
	addr Address

	mu       sync.Mutex
	dead     bool // no longer in Node.peers
	broken   bool // about to be dropped: nothing is queued or written any more
	current  *session
	queue    queue
	links    linkSet
	lastUsed time.Time
}

// send queues a message and sees to it that somebody writes it. mu is held.
func (p *peer) send(out outgoing) error {
	if p.broken {
		p.node.counters.dropped.Add(1)
		return ErrOverflow
	}
	if !p.queue.push(out, p.node.cfg) {
		p.broken = true
		p.node.counters.dropped.Add(1)
		p.node.start(func() { p.drop(nil, ErrOverflow) }) // not here: the caller may be who is to be told
		return ErrOverflow
	}
	p.connect()
	p.current.wake()
	return nil
}

// link adds a link and sees to a connection. mu is held.
func (p *peer) link(l link, mode LinkMode) error {
	if p.links == nil {
		p.links = linkSet{}
	}
	if !p.links.add(l) {
		return ErrClosed
	}
	if old := p.current; old != nil && mode == Reconnect {
		p.current = nil
		old.close()
	}
	p.connect()
	return nil
}

// connect starts a session unless there is one. mu is held.
func (p *peer) connect() {
	if p.current != nil {
		return
	}
	ctx, cancel := context.WithCancel(p.node.ctx)
	p.current = &session{peer: p, ctx: ctx, cancel: cancel}
	p.lastUsed = time.Now()
	p.node.start(p.current.run)
}

// drop gives up the connection: what waits is dropped, who linked is told, and
// the peer is replaced when it is needed again. If s is given, only if that is
// the current session still.
func (p *peer) drop(s *session, cause error) {
	p.mu.Lock()
	if p.dead || (s != nil && p.current != s) {
		p.mu.Unlock()
		return
	}
	p.dead = true
	s, p.current = p.current, nil
	lost := p.queue.clear()
	p.node.counters.dropped.Add(uint64(lost))
	links := p.links.take(func(link) bool { return true })
	p.mu.Unlock()

	p.node.forget(p)
	if s != nil {
		s.close()
	}
	p.logDropped(lost, len(links), cause)
	notify(links)
}

func (p *peer) logDropped(lost, links int, cause error) {
	if p.node.ctx.Err() != nil {
		return
	}
	log := p.node.cfg.Log
	if lost == 0 && links == 0 {
		log = log.V(1)
	}
	log.Info("connection ended", "peer", p.addr.String(), "droppedMessages", lost,
		"brokenLinks", links, "reason", cause.Error())
}

// closeIdle gives up the connection if it is unused since the given time.
func (p *peer) closeIfIdle(since time.Time) {
	p.mu.Lock()
	s := p.current
	idle := s != nil && !s.writing && len(p.links) == 0 && p.queue.len() == 0 && p.lastUsed.Before(since)
	if idle {
		p.dead, p.current = true, nil
	}
	p.mu.Unlock()
	if idle {
		p.node.forget(p)
		s.close()
	}
}
