package libprocess

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Node is one address on the network: the processes that are spawned on it,
// the connections to its peers and those from them. All methods may be called
// from any goroutine.
type Node struct {
	cfg  Config
	ctx  context.Context // ends with Close; the root of what handlers get
	stop context.CancelFunc
	work goroutines

	loop  loopback
	local localLinks

	mu        sync.RWMutex // guards what follows; may be held while a peer's is taken, not the reverse
	closed    bool
	processes map[string]*Process
	peers     map[Address]*peer
	inbound   map[*inbound]struct{}

	receiving atomic.Int64 // bytes of bodies that are being received
	serials   serials
	counters  counters
}

// NewNode returns a node without processes. It does not listen: give its
// Listener to an http.Server for that.
func NewNode(cfg Config) (*Node, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("libprocess settings: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	n := &Node{
		cfg:       cfg.withDefaults(),
		ctx:       ctx,
		stop:      stop,
		processes: map[string]*Process{},
		peers:     map[Address]*peer{},
		inbound:   map[*inbound]struct{}{},
	}
	n.loop.node = n
	n.start(n.closeIdle)
	return n, nil
}

// Address returns what peers connect to.
func (n *Node) Address() Address { return n.cfg.Address }

// Spawn starts a process. The ID must be free and visible ASCII.
func (n *Node) Spawn(id string, h Handler) (*Process, error) {
	if id == "" || !isVisible(id) || len(id) > MaxPIDLength/2 {
		return nil, fmt.Errorf("spawning %q: %w: not an ID", id, ErrBadPID)
	}
	p := &Process{node: n, pid: PID{ID: id, Address: n.cfg.Address}, handler: h, links: map[PID]struct{}{}}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return nil, fmt.Errorf("spawning %q: %w", id, ErrClosed)
	}
	if n.processes[id] != nil {
		return nil, fmt.Errorf("spawning %q: %w", id, ErrDuplicateID)
	}
	n.processes[id] = p
	return p, nil
}

// Close ends all connections and processes and waits for running handlers,
// whose context it cancels; a handler must not call it. Exited is not called for
// what Close breaks.
func (n *Node) Close() error {
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		n.work.wait()
		return nil
	}
	n.closed = true
	peers, inbound := n.peers, n.inbound
	n.peers, n.inbound, n.processes = nil, nil, nil
	n.mu.Unlock()

	n.stop()
	n.work.stop()
	for _, p := range peers {
		p.drop(nil, ErrClosed)
	}
	for c := range inbound {
		c.abort()
	}
	n.work.wait()
	return nil
}

// Disconnect closes all connections to other processes, which tells those that
// linked that something ended here: a master that doesn't lead any more, say.
// New connections are made as before. Connections that speak HTTP are left
// alone. A handler must not call it.
func (n *Node) Disconnect() {
	n.mu.RLock()
	peers, inbound := slices.Collect(maps.Values(n.peers)), slices.Collect(maps.Keys(n.inbound))
	n.mu.RUnlock()
	for _, p := range peers {
		p.drop(nil, ErrClosed)
	}
	for _, c := range inbound {
		c.abort()
	}
}

// start runs f as a goroutine that Close waits for; not at all once the node
// is closing.
func (n *Node) start(f func()) bool { return n.work.start(f) }

func (n *Node) process(id string) *Process {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.processes[id]
}

// deliver hands a message to its process.
func (n *Node) deliver(ctx context.Context, m Message) error {
	p := n.process(m.To.ID)
	if p == nil {
		n.counters.refused.Add(1)
		return fmt.Errorf("%w: %q", ErrNoProcess, m.To.ID)
	}
	if m.Remote.IsValid() {
		n.counters.received.Add(1)
	}
	return p.handler.Message(ctx, m)
}

// admit checks a message from outside.
func (n *Node) admit(m Message) error {
	err := n.checkSender(m)
	if err == nil && n.cfg.Admit != nil {
		err = n.cfg.Admit(m)
	}
	if err != nil {
		n.counters.refused.Add(1)
		return fmt.Errorf("%w: %w", ErrNotAdmitted, err)
	}
	return nil
}

func (n *Node) checkSender(m Message) error {
	if !n.cfg.RequirePeerIPMatch {
		return nil
	}
	if ip, ok := m.From.Address.IP(); !ok || ip != m.Remote.Addr().Unmap() {
		return fmt.Errorf("%s sent from %s", m.From, m.Remote.Addr())
	}
	return nil
}

// receive takes a message that came over the network.
func (n *Node) receive(ctx context.Context, m Message) error {
	if err := n.admit(m); err != nil {
		return err
	}
	return n.deliver(ctx, m)
}

// withPeer calls f with the peer at addr, making one if there is none. f runs
// under the peer's lock.
func (n *Node) withPeer(addr Address, f func(*peer) error) error {
	for {
		p, err := n.peer(addr)
		if err != nil {
			return err
		}
		p.mu.Lock()
		if p.dead { // it ended between the two locks: take its successor
			p.mu.Unlock()
			continue
		}
		defer p.mu.Unlock()
		return f(p)
	}
}

func (n *Node) peer(addr Address) (*peer, error) {
	n.mu.RLock()
	p, closed := n.peers[addr], n.closed
	n.mu.RUnlock()
	if closed {
		return nil, ErrClosed
	}
	if p != nil {
		return p, nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return nil, ErrClosed
	}
	if p = n.peers[addr]; p == nil {
		p = &peer{node: n, addr: addr}
		n.peers[addr] = p
	}
	return p, nil
}

func (n *Node) forget(p *peer) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.peers[p.addr] == p {
		delete(n.peers, p.addr)
	}
}

// closeIdle gives up connections that nobody uses. It looks often enough to
// exceed IdleTimeout by at most a quarter.
func (n *Node) closeIdle() {
	tick := time.NewTicker(max(n.cfg.IdleTimeout/4, time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-n.ctx.Done():
			return
		case now := <-tick.C:
			for _, p := range n.allPeers() {
				p.closeIfIdle(now.Add(-n.cfg.IdleTimeout))
			}
		}
	}
}

func (n *Node) allPeers() []*peer {
	n.mu.RLock()
	defer n.mu.RUnlock()
	all := make([]*peer, 0, len(n.peers))
	for _, p := range n.peers {
		all = append(all, p)
	}
	return all
}

// isLocal says whether pid is (or was, or will be) a process of this node.
func (n *Node) isLocal(pid PID) bool { return pid.Address == n.cfg.Address }

// remoteOf returns the other end of a connection as an address, if it has one.
func remoteOf(addr interface{ String() string }) netip.AddrPort {
	if addr == nil {
		return netip.AddrPort{}
	}
	ap, err := netip.ParseAddrPort(addr.String())
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
