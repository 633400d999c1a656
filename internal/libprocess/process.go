package libprocess

import (
	"fmt"
	"maps"
	"slices"
	"sync"
)

// LinkMode says what Link does when a connection to that address exists.
type LinkMode int

const (
	// Reuse shares the connection that exists.
	Reuse LinkMode = iota
	// Reconnect replaces it by a new one: for a peer that may be unaware that
	// the old one is broken. What is queued goes over the new one; what was
	// being written is lost. The other processes' links move along and are
	// not told.
	Reconnect
)

// Process is one process of a node. All methods may be called from any
// goroutine and none blocks on the network.
type Process struct {
	node    *Node
	pid     PID
	handler Handler

	mu    sync.Mutex
	ended bool
	links map[PID]struct{} // what Terminate has to undo; kept by linkSet
}

// PID returns what peers call the process.
func (p *Process) PID() PID { return p.pid }

// Send queues a message for the process to. The body must not be changed
// afterwards. An error means that the message is not on its way: ErrOverflow,
// ErrClosed, ErrBadMessage for an unusable name, ErrBadPID for an unusable PID.
// No error means no more than that it was queued.
func (p *Process) Send(to PID, name string, body []byte) error {
	if err := p.send(to, name, body); err != nil {
		return fmt.Errorf("sending %s to %s: %w", name, to, err)
	}
	return nil
}

func (p *Process) send(to PID, name string, body []byte) error {
	switch {
	case !isMessageName(name):
		return fmt.Errorf("%w: name %q", ErrBadMessage, name)
	case to.Address.Host == "" || to.Address.Port == 0:
		return fmt.Errorf("%w: no address", ErrBadPID)
	case p.hasEnded():
		return ErrClosed
	}
	out := outgoing{from: p.pid, to: to, name: name, body: body}
	if p.node.isLocal(to) {
		return p.node.loop.send(out)
	}
	return p.node.withPeer(to.Address, func(peer *peer) error { return peer.send(out) })
}

// Link asks for one call of Exited(to) when the connection to that process's
// node ends or can't be made. On the same node it is when the process
// terminates, or at once if there is none. Linking twice is linking once.
//
// As in Mesos a link watches the node, not the process: a remote process that
// ends while its node lives on is not noticed.
func (p *Process) Link(to PID, mode LinkMode) error {
	if to.Address.Host == "" || to.Address.Port == 0 {
		return fmt.Errorf("linking to %q: %w: no address", to, ErrBadPID)
	}
	l := link{to: to, by: p}
	var err error
	if p.node.isLocal(to) {
		err = p.node.local.add(p.node, l)
	} else {
		err = p.node.withPeer(to.Address, func(peer *peer) error { return peer.link(l, mode) })
	}
	if err != nil {
		return fmt.Errorf("linking to %s: %w", to, err)
	}
	return nil
}

// Unlink takes back Link. A call of Exited may be under way all the same.
func (p *Process) Unlink(to PID) { p.node.unlink(link{to: to, by: p}) }

// Terminate ends the process: nothing more is delivered to it, its links are
// taken back, and the processes of this node that linked to it are told.
// Messages that it sent still go out.
func (p *Process) Terminate() {
	p.mu.Lock()
	links, ended := slices.Collect(maps.Keys(p.links)), p.ended
	p.ended = true
	p.mu.Unlock()
	if ended {
		return
	}
	p.node.remove(p)
	for _, to := range links {
		p.node.unlink(link{to: to, by: p})
	}
	p.node.start(func() { notify(p.node.local.take(p.pid)) })
}

func (p *Process) hasEnded() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ended
}
