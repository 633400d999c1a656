package engine

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"runtime"
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	"github.com/mesos-operator/mesos-operator/internal/codec"
	"github.com/mesos-operator/mesos-operator/internal/libprocess"
	"github.com/mesos-operator/mesos-operator/internal/libprocess/typed"
	"github.com/mesos-operator/mesos-operator/masterd/state"
)

// masterProcess is what peers call the master.
const masterProcess = "master"

// peers is the way to agents and native drivers, and from them. What concerns
// one address is done in order, by one of a few goroutines.
type peers struct {
	engine *Engine
	node   *libprocess.Node
	types  map[string]proto.Message // what may arrive, by name
	lanes  []*queue[errand]
	seed   maphash.Seed

	mu        sync.Mutex
	processes map[string]*libprocess.Process
	closed    bool
}

// errand is something to do about one peer.
type errand struct {
	to libprocess.PID
	do func(to libprocess.PID) error
}

func newPeers(cfg Config, e *Engine) *peers {
	p := &peers{
		engine:    e,
		node:      cfg.Node,
		types:     map[string]proto.Message{},
		seed:      maphash.MakeSeed(),
		processes: map[string]*libprocess.Process{},
	}
	for _, m := range state.Accepts() {
		p.types[typed.NameOf(m)] = m
	}
	for range max(2, runtime.GOMAXPROCS(0)) {
		p.lanes = append(p.lanes, newQueue[errand]())
	}
	return p
}

// open spawns the master's process: from now on messages arrive.
func (p *peers) open() error {
	_, err := p.process(masterProcess)
	return err
}

// close ends all processes and so takes back their links.
func (p *peers) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for id, process := range p.processes {
		process.Terminate()
		delete(p.processes, id)
	}
}

// process returns the process of an ID, and spawns it if there is none.
func (p *peers) process(id string) (*libprocess.Process, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if process := p.processes[id]; process != nil {
		return process, nil
	}
	if p.closed {
		return nil, ErrStopped
	}
	process, err := p.node.Spawn(id, libprocess.HandlerFuncs{OnMessage: p.received, OnExited: p.exited})
	if err != nil {
		return nil, fmt.Errorf("spawning a process of the master: %w", err)
	}
	p.processes[id] = process
	return process, nil
}

// received decodes a message and waits until the loop has room for it.
func (p *peers) received(ctx context.Context, m libprocess.Message) error {
	if m.Name == authenticateName {
		return p.authenticate(m)
	}
	kind, ok := p.types[m.Name]
	if !ok {
		return fmt.Errorf("%w: %s", typed.ErrUnknown, m.Name)
	}
	msg := kind.ProtoReflect().New().Interface()
	if err := codec.Unmarshal(codec.Protobuf, m.Body, msg); err != nil {
		p.engine.counters.malformed.Add(1)
		return fmt.Errorf("%w: %w", typed.ErrMalformed, err)
	}
	return p.engine.submit(ctx, state.PeerMessage{
		From:      state.PID(m.From.String()),
		To:        m.To.ID,
		Principal: p.engine.cfg.Principal(m.From),
		Message:   msg,
	})
}

// authenticateName is the message that begins an authentication, which concerns
// the connection and not the machine.
var authenticateName = typed.NameOf(&messages.AuthenticateMessage{})

func (p *peers) authenticate(m libprocess.Message) error {
	p.engine.counters.authentications.Add(1)
	msg := &messages.AuthenticateMessage{}
	if err := codec.Unmarshal(codec.Protobuf, m.Body, msg); err != nil {
		p.engine.counters.malformed.Add(1)
		return fmt.Errorf("%w: %w", typed.ErrMalformed, err)
	}
	return p.engine.cfg.Authenticate(m.From, msg)
}

func (p *peers) exited(_ context.Context, pid libprocess.PID) {
	p.engine.feedBack(state.PeerExited{PID: state.PID(pid.String())})
}

func (p *peers) send(s state.SendMessage) {
	p.queue(s.To, func(to libprocess.PID) error {
		process, err := p.process(s.From)
		if err != nil {
			return err
		}
		return typed.Send(process, to, s.Message)
	})
}

func (p *peers) link(pid state.PID) {
	p.queue(pid, func(to libprocess.PID) error {
		process, err := p.process(masterProcess)
		if err != nil {
			return err
		}
		if err = process.Link(to, libprocess.Reconnect); err != nil {
			p.exited(context.Background(), to) // there is no link, so it broke
		}
		return err
	})
}

func (p *peers) unlink(pid state.PID) {
	p.queue(pid, func(to libprocess.PID) error {
		process, err := p.process(masterProcess)
		if err == nil {
			process.Unlink(to)
		}
		return err
	})
}

func (p *peers) endProcess(id string) {
	p.mu.Lock()
	process := p.processes[id]
	delete(p.processes, id)
	p.mu.Unlock()
	if process != nil {
		process.Terminate()
	}
}

// queue puts an errand behind the earlier ones about the same address.
func (p *peers) queue(pid state.PID, do func(libprocess.PID) error) {
	to, err := libprocess.ParsePID(string(pid))
	if err != nil {
		p.engine.log.Error(err, "the machine named a peer that can't be reached")
		return
	}
	lane := maphash.String(p.seed, to.Address.Host) + uint64(to.Address.Port)
	p.lanes[lane%uint64(len(p.lanes))].put(errand{to: to, do: do})
}

func (p *peers) run(ctx context.Context) {
	var work sync.WaitGroup
	for _, lane := range p.lanes {
		work.Go(func() { p.runLane(ctx, lane) })
	}
	work.Wait()
}

// runLane goes on until ctx ends, and then does what waits: a peer that is to
// be told something is told.
func (p *peers) runLane(ctx context.Context, lane *queue[errand]) {
	for {
		for _, e := range lane.take() {
			if err := e.do(e.to); err != nil && !errors.Is(err, ErrStopped) {
				p.engine.log.V(1).Info("message or link lost", "peer", e.to.String(), "reason", err.Error())
			}
		}
		select {
		case <-ctx.Done():
			if lane.len() == 0 {
				return
			}
		case <-lane.wake:
		}
	}
}
