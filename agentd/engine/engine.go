package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"

	"github.com/mesos-operator/mesos-operator/agentd/state"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/libprocess"
)

// inputQueue is how many inputs may wait for the loop; whoever brings one more
// waits. effectQueue likewise is how many steps may be ahead of the disk.
const (
	inputQueue  = 1024
	effectQueue = 256
)

// ErrStopped is returned by calls to an Engine that does not run any more.
var ErrStopped = errors.New("agent is not running")

// Engine runs one agent.
type Engine struct {
	cfg     Config
	machine *state.Machine
	process *libprocess.Process
	log     logr.Logger

	inputs  chan state.Input
	effects chan step
	views   chan chan *state.View
	last    atomic.Pointer[state.View] // the last that a reader got
	stopped chan struct{}              // closed when the loop has ended
	ended   chan struct{}              // closed when the committer has ended

	timers  timers
	streams streams
	replies replies
	gc      *collector
	lanes   lanes

	statistics sampler[*mesos.ResourceStatistics]
	statuses   sampler[*mesos.ContainerStatus]

	work       sync.WaitGroup // goroutines of effects
	detection  context.CancelFunc
	detectedAt time.Time
	started    time.Time
	recovery   recoveryStats
	recovered  recoveredRuns
}

// New prepares an engine. Its process exists from here on, so that PIDs are
// known; messages wait for Run.
func New(cfg Config) (*Engine, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("engine settings: %w", err)
	}
	cfg = cfg.withDefaults()
	e := &Engine{
		cfg:     cfg,
		log:     cfg.Log,
		inputs:  make(chan state.Input, inputQueue),
		effects: make(chan step, effectQueue),
		views:   make(chan chan *state.View),
		stopped: make(chan struct{}),
		ended:   make(chan struct{}),
		started: time.Now(),
	}
	process, err := cfg.Node.Spawn(cfg.ProcessID, e.handler())
	if err != nil {
		return nil, err
	}
	e.process = process
	e.cfg.State.PID = process.PID().String()
	e.cfg.State.Authorizer = e.cfg.Authorizer
	if e.machine, err = state.New(e.cfg.State); err != nil {
		process.Terminate()
		return nil, fmt.Errorf("agent settings: %w", err)
	}
	e.timers = newTimers(e.submitLater)
	e.streams, e.replies, e.lanes = newStreams(), newReplies(), newLanes()
	e.gc = newCollector(cfg, e.log)
	e.statistics.get, e.statuses.get = cfg.Containerizer.Usage, cfg.Containerizer.Status
	e.registerMetrics()
	return e, nil
}

// PID is the agent's libprocess PID.
func (e *Engine) PID() libprocess.PID { return e.process.PID() }

// Run runs the agent until the context ends, which leaves tasks running, or
// until the agent itself ends, with an error unless that was asked for.
func (e *Engine) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	snapshot, problems, err := e.cfg.Store.Recover(e.cfg.BootID, e.cfg.Strict)
	if err != nil {
		close(e.stopped)
		close(e.ended)
		return err
	}
	for _, p := range problems {
		if p.Harmless() {
			e.log.Info("checkpoint skipped: a crash kept it from being written", "path", p.Path, "reason", p.Err.Error())
			continue
		}
		e.log.Error(p.Err, "checkpoint skipped", "path", p.Path)
		e.recovery.errors.Add(1)
	}
	e.recovered = runsOf(snapshot)
	e.inputs <- state.Recovered{Snapshot: snapshot}

	committed := make(chan error, 1)
	go func() {
		defer close(e.ended)
		committed <- e.commit(ctx)
	}()
	go e.gc.run(ctx)
	go e.loop(ctx)
	err = <-committed
	cancel()
	<-e.stopped
	e.process.Terminate()
	e.timers.stop()
	e.streams.closeAll()
	e.work.Wait()
	return err
}

// step is what the loop hands to the committer: the effects of one Step, or a view
// of the machine for a reader, which gets it when the effects before it are done.
type step struct {
	effects []state.Effect
	view    *state.View
	reader  chan<- *state.View
}

// loop steps the machine. It ends with the context.
func (e *Engine) loop(ctx context.Context) {
	defer close(e.stopped)
	var view *state.View // of the machine as it is; nil if nobody asked
	for {
		var next step
		select {
		case <-ctx.Done():
			return
		case reader := <-e.views:
			if view == nil {
				view = e.machine.View()
			}
			next = step{view: view, reader: reader}
		case in := <-e.inputs:
			next.effects = e.machine.Step(in, time.Now())
			view = nil
			if len(next.effects) == 0 {
				continue
			}
		}
		select {
		case e.effects <- next:
		case <-ctx.Done():
			return
		}
	}
}

// Submit hands an input to the machine. It waits while too many are ahead.
func (e *Engine) Submit(ctx context.Context, in state.Input) error {
	select {
	case e.inputs <- in:
		return nil
	case <-e.stopped:
		return ErrStopped
	case <-ctx.Done():
		return ctx.Err()
	}
}

// submitLater is Submit for results that nobody waits for.
func (e *Engine) submitLater(in state.Input) {
	select {
	case e.inputs <- in:
	case <-e.stopped:
	}
}

// View returns the agent with everything that happened before the call, once that
// is on the disk: a reader sees nothing that a crash could take back. After the
// agent's end it is what the last reader saw.
func (e *Engine) View(ctx context.Context) (*state.View, error) {
	reply := make(chan *state.View, 1)
	select {
	case e.views <- reply:
	case <-e.stopped:
		return e.lastView()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case v := <-reply:
		return v, nil
	case <-e.ended:
		return e.lastView()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (e *Engine) lastView() (*state.View, error) {
	if v := e.last.Load(); v != nil {
		return v, nil
	}
	return nil, ErrStopped
}

// Shutdown unregisters the agent, ends everything that it runs, and then Run.
func (e *Engine) Shutdown(ctx context.Context, why string) error {
	return e.Submit(ctx, state.ShutdownRequested{Message: why})
}
