package stubagent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// FleetConfig says how large a Fleet is and whom it serves.
type FleetConfig struct {
	// Master is the "host:port" of the master.
	Master string
	// Agents is how many there are.
	Agents int
	// AgentsPerHost is how many of them share an address, as slave(1),
	// slave(2) and so on: then they share the two connections with the master
	// as well. Default 1. Each address costs two file descriptors here and two
	// in the master.
	AgentsPerHost int
}

// Fleet is thousands of agents in one process, which costs little enough that a
// master on the same machine can be measured. Hosts are addresses of 127/8,
// each with connections of its own; one socket listens for all of them. Agents
// answer pings, and of what the master says they note only that it registered
// them.
type Fleet struct {
	cfg      FleetConfig
	listener net.Listener
	port     int
	work     sync.WaitGroup
	hosts    []*host

	// waiting counts the agents that the master has not answered since the
	// last Register or Reregister.
	waiting  atomic.Int64
	answered chan struct{}

	mu   sync.Mutex
	open map[net.Conn]struct{}
}

// host is the agents of one address.
type host struct {
	fleet   *Fleet
	ip      net.IP
	agents  []*fleetAgent
	writing sync.Mutex
	conn    net.Conn // to the master
}

// fleetAgent is one agent of a Fleet.
type fleetAgent struct {
	pid     string
	id      atomic.Pointer[mesos.AgentID]
	waiting atomic.Bool
	request []byte // what it sends next
}

// NewFleet makes the agents and listens for the master. Nothing is sent yet.
func NewFleet(cfg FleetConfig) (*Fleet, error) {
	cfg.AgentsPerHost = max(cfg.AgentsPerHost, 1)
	listener, err := listenOnLoopback()
	if err != nil {
		return nil, fmt.Errorf("listening: %w", err)
	}
	f := &Fleet{cfg: cfg, listener: listener, port: listener.Addr().(*net.TCPAddr).Port, open: map[net.Conn]struct{}{}}
	for n := 0; n < cfg.Agents; n += cfg.AgentsPerHost {
		f.hosts = append(f.hosts, f.newHost(len(f.hosts), min(cfg.AgentsPerHost, cfg.Agents-n)))
	}
	f.work.Go(f.accept)
	return f, nil
}

func (f *Fleet) newHost(number, agents int) *host {
	// 127.16.0.0 and up: apart from what else is at 127.0.0.1.
	h := &host{fleet: f, ip: net.IPv4(127, byte(16+number>>16), byte(number>>8), byte(number))}
	for i := range agents {
		h.agents = append(h.agents, &fleetAgent{pid: fmt.Sprintf("slave(%d)@%s:%d", i+1, h.ip, f.port)})
	}
	return h
}

// all returns the agents in order.
func (f *Fleet) all() []*fleetAgent {
	all := make([]*fleetAgent, 0, f.cfg.Agents)
	for _, h := range f.hosts {
		all = append(all, h.agents...)
	}
	return all
}

// Close ends all agents.
func (f *Fleet) Close() {
	f.listener.Close()
	f.Disconnect()
	f.work.Wait()
}

// Disconnect closes all connections, to forget a master that is gone.
func (f *Fleet) Disconnect() {
	f.mu.Lock()
	for c := range f.open {
		c.Close()
	}
	f.mu.Unlock()
	for _, h := range f.hosts {
		h.writing.Lock()
		h.conn = nil
		h.writing.Unlock()
	}
}

// Prepared is messages that wait to be sent.
type Prepared struct {
	fleet *Fleet
	// Bytes is what they have together.
	Bytes int
}

// PrepareRegister encodes a registration for each agent.
func (f *Fleet) PrepareRegister(info func(n int) *messages.RegisterSlaveMessage) (*Prepared, error) {
	return f.prepare(func(n int, _ *fleetAgent) proto.Message { return info(n) })
}

// PrepareReregister encodes a reregistration for each agent that has an ID.
func (f *Fleet) PrepareReregister(info func(n int, id *mesos.AgentID) *messages.ReregisterSlaveMessage) (*Prepared, error) {
	return f.prepare(func(n int, a *fleetAgent) proto.Message { return info(n, a.id.Load()) })
}

func (f *Fleet) prepare(message func(int, *fleetAgent) proto.Message) (*Prepared, error) {
	p := &Prepared{fleet: f}
	for n, a := range f.all() {
		m := message(n, a)
		body, err := proto.Marshal(m)
		if err != nil {
			return nil, fmt.Errorf("encoding the message of %s: %w", a.pid, err)
		}
		a.request = request(a.pid, "master", f.cfg.Master, m, body)
		p.Bytes += len(a.request)
	}
	return p, nil
}

// senders is how many hosts connect and write at one time: enough to keep a
// master busy that answers at once.
const senders = 128

// Send sends the messages as fast as they are taken and returns how long it was
// until the master had registered the last agent.
func (p *Prepared) Send(ctx context.Context) (time.Duration, error) {
	f := p.fleet
	f.answered = make(chan struct{})
	f.waiting.Store(int64(f.cfg.Agents))
	for _, a := range f.all() {
		a.waiting.Store(true)
	}
	begin := time.Now()
	if err := f.send(ctx); err != nil {
		return 0, err
	}
	select {
	case <-f.answered:
		return time.Since(begin), nil
	case <-ctx.Done():
		return 0, fmt.Errorf("%d agents are not registered after %v: %w", f.waiting.Load(), time.Since(begin), ctx.Err())
	}
}

func (f *Fleet) send(ctx context.Context) error {
	var (
		work sync.WaitGroup
		mu   sync.Mutex
		errs []error
		next atomic.Int64
	)
	for range senders {
		work.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(f.hosts); i = int(next.Add(1)) - 1 {
				if err := f.hosts[i].send(ctx); err != nil {
					mu.Lock()
					errs = append(errs, err)
					mu.Unlock()
					return
				}
			}
		})
	}
	work.Wait()
	return errors.Join(errs...)
}

// send writes what the agents of a host have prepared.
func (h *host) send(ctx context.Context) error {
	for _, a := range h.agents {
		if err := h.write(ctx, a.request); err != nil {
			return err
		}
	}
	return nil
}

// write sends a message to the master, over a new connection if there is none.
func (h *host) write(ctx context.Context, message []byte) error {
	h.writing.Lock()
	defer h.writing.Unlock()
	if h.conn == nil {
		dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: h.ip}}
		conn, err := dialer.DialContext(ctx, "tcp4", h.fleet.cfg.Master)
		if err != nil {
			return fmt.Errorf("connecting to the master: %w", err)
		}
		h.fleet.keep(conn)
		h.conn = conn
	}
	if _, err := h.conn.Write(message); err != nil {
		return fmt.Errorf("writing to the master: %w", err)
	}
	return nil
}

func (f *Fleet) keep(c net.Conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.open[c] = struct{}{}
}

func (f *Fleet) drop(c net.Conn) {
	c.Close()
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.open, c)
}

// registered notes that the master knows an agent.
func (f *Fleet) registered(a *fleetAgent) {
	if a.waiting.CompareAndSwap(true, false) && f.waiting.Add(-1) == 0 {
		close(f.answered)
	}
}
