package libprocess

import "maps"

// link is the wish of a process to learn of another's end.
type link struct {
	to PID
	by *Process
}

// linkSet is the links that one event will end. Its owner's lock guards it;
// it keeps Process.links in step, under the process's lock, which is therefore
// always taken last.
type linkSet map[link]struct{}

// add is false if the linking process has ended.
func (s linkSet) add(l link) bool {
	l.by.mu.Lock()
	defer l.by.mu.Unlock()
	if l.by.ended {
		return false
	}
	l.by.links[l.to] = struct{}{}
	s[l] = struct{}{}
	return true
}

func (s linkSet) remove(l link) {
	if _, ok := s[l]; !ok {
		return
	}
	delete(s, l)
	l.by.mu.Lock()
	delete(l.by.links, l.to)
	l.by.mu.Unlock()
}

// take removes the links that choose picks and returns them.
func (s linkSet) take(choose func(link) bool) []link {
	var taken []link
	for l := range maps.Keys(s) {
		if choose(l) {
			taken = append(taken, l)
			s.remove(l)
		}
	}
	return taken
}

// notify tells the linking processes. No lock may be held.
func notify(links []link) {
	for _, l := range links {
		ctx := l.by.node.ctx
		if ctx.Err() == nil && !l.by.hasEnded() {
			l.by.handler.Exited(ctx, l.to)
		}
	}
}

// unlink removes a link from where it is kept.
func (n *Node) unlink(l link) {
	if n.isLocal(l.to) {
		n.local.remove(l)
		return
	}
	n.mu.RLock()
	p := n.peers[l.to.Address]
	n.mu.RUnlock()
	if p != nil {
		p.mu.Lock()
		p.links.remove(l)
		p.mu.Unlock()
	}
}
