package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-logr/logr"

	"github.com/mesos-operator/mesos-operator/masterd/registry"
	"github.com/mesos-operator/mesos-operator/masterd/registry/op"
	"github.com/mesos-operator/mesos-operator/masterd/state"
)

// Engine runs one machine. The methods of this package's API may be called from
// any goroutine, as soon as New returned; before Run they wait.
type Engine struct {
	cfg     Config
	machine Machine
	log     logr.Logger

	inputs *queue[event]
	slots  chan struct{} // one is held by each external input that waits
	done   chan struct{} // closed at the end of the term

	replies *replies
	streams *streams
	timers  *timers
	writer  *registry.Writer
	peers   *peers
	alloc   *allocation
	hub     *hub
	logs    *queue[state.Log]
	views   *views

	counters counters
	abdicate error // set by the loop, read by Run after it
}

// event is what the loop takes in: an input for the machine, or something to
// do between two Steps.
type event struct {
	in       state.Input
	do       func()
	external bool
}

// New returns an engine that is not running yet.
func New(cfg Config) (*Engine, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("engine settings: %w", err)
	}
	cfg = cfg.withDefaults()
	e := &Engine{
		cfg:     cfg,
		machine: cfg.Machine,
		log:     cfg.Log,
		inputs:  newQueue[event](),
		slots:   make(chan struct{}, cfg.MaxQueuedInputs),
		done:    make(chan struct{}),
		replies: newReplies(),
		streams: newStreams(cfg.MaxSchedulerEvents),
		writer:  registry.NewWriter(cfg.Term, cfg.Stored),
		logs:    newQueue[state.Log](),
		views:   &views{},
	}
	e.timers = newTimers(e.feedBack)
	e.peers = newPeers(cfg, e)
	e.alloc = newAllocation(cfg, e.feedBack)
	e.hub = newHub(cfg, &e.counters)
	e.feedBack(state.Recovered{Registry: cfg.Registry}) // before anybody can call
	return e, nil
}

// Run leads until ctx ends, which is no error, or the machine abdicates.
func (e *Engine) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	var work sync.WaitGroup
	for _, run := range []func(context.Context){
		e.writer.Run, e.peers.run, e.alloc.run, e.hub.run, e.writeLog,
	} {
		work.Go(func() { run(ctx) })
	}
	err := e.peers.open()
	if err == nil {
		e.loop(ctx)
		err = e.abdicate
	}
	e.end()
	stop()
	work.Wait()
	e.peers.close() // after what was still to be sent
	return err
}

// end fails whatever waits for this term.
func (e *Engine) end() {
	close(e.done)
	e.timers.stop()
	e.streams.end(ErrStopped)
	e.hub.end(ErrStopped)
}

// submit queues an input from outside, waiting for a slot if there are too
// many.
func (e *Engine) submit(ctx context.Context, in state.Input) error {
	select {
	case e.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	case <-e.done:
		return ErrStopped
	}
	e.inputs.put(event{in: in, external: true})
	return nil
}

// feedBack queues an input that the engine itself makes. It never waits.
func (e *Engine) feedBack(in state.Input) { e.inputs.put(event{in: in}) }

// between runs f in the loop between two Steps.
func (e *Engine) between(f func()) { e.inputs.put(event{do: f}) }

func (e *Engine) loop(ctx context.Context) {
	for {
		batch := e.inputs.take()
		for i := range batch {
			if e.process(&batch[i]); e.abdicate != nil || ctx.Err() != nil {
				return
			}
		}
		e.views.serve(e.machine)
		if len(batch) > 0 {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-e.inputs.wake:
		}
	}
}

func (e *Engine) process(ev *event) {
	if ev.do != nil {
		ev.do()
		return
	}
	begin := time.Now()
	effects := e.machine.Step(ev.in, begin)
	e.views.stale()
	for _, effect := range effects {
		e.perform(effect)
	}
	e.counters.step(time.Since(begin))
	if ev.external {
		<-e.slots
	}
}

// perform hands an effect to whoever does it. Nothing here waits.
func (e *Engine) perform(effect state.Effect) {
	switch effect := effect.(type) {
	case state.Reply:
		e.replies.answer(effect.Reply, Answer{Reply: effect})
	case state.OpenStream:
		e.openStream(effect)
	case state.SendEvent:
		e.sendEvent(effect)
	case state.CloseStream:
		e.streams.close(effect.Stream)
	case state.SendMessage:
		e.peers.send(effect)
	case state.EndProcess:
		e.peers.endProcess(effect.ID)
	case state.Link:
		e.peers.link(effect.PID)
	case state.Unlink:
		e.peers.unlink(effect.PID)
	case state.Persist:
		e.persist(effect)
	case state.Arm:
		e.timers.arm(effect.Timer, effect.After)
	case state.Disarm:
		e.timers.disarm(effect.Timer)
	case state.AllocatorEffect:
		e.alloc.apply(effect)
	case state.Publish:
		e.hub.publish(effect)
	case state.Log:
		e.logs.put(effect)
	case state.Abdicate:
		e.abdicate = fmt.Errorf("abdicating: %w", effect.Reason)
	default:
		panic(fmt.Sprintf("engine: effect %T is not known", effect))
	}
}

func (e *Engine) persist(p state.Persist) {
	e.writer.Submit(registry.Write{
		Operations: p.Operations,
		Done: func(results []op.Result, err error) {
			e.feedBack(state.Persisted{Token: p.Token, Results: results, Err: err})
		},
	})
}

// writeLog writes Log effects, so that a slow terminal doesn't hold up the
// loop.
func (e *Engine) writeLog(ctx context.Context) {
	for {
		for _, l := range e.logs.take() {
			e.write(l)
		}
		select {
		case <-ctx.Done():
			if e.logs.len() == 0 {
				return
			}
		case <-e.logs.wake:
		}
	}
}

func (e *Engine) write(l state.Log) {
	switch l.Level {
	case state.LogDebug:
		e.log.V(1).Info(l.Text, l.KeysAndValues...)
	case state.LogInfo:
		e.log.Info(l.Text, l.KeysAndValues...)
	case state.LogWarning:
		e.log.Info(l.Text, append([]any{"severity", "warning"}, l.KeysAndValues...)...)
	}
}

// Deposed says whether a term ended because another master leads.
func Deposed(err error) bool { return errors.Is(err, registry.ErrNotLeader) }
