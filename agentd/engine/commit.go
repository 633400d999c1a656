package engine

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/state"
	"github.com/mesos-operator/mesos-operator/internal/failpoint"
	"github.com/mesos-operator/mesos-operator/internal/libprocess"
	"github.com/mesos-operator/mesos-operator/internal/libprocess/typed"
)

// errTerminated ends the committer because the machine said so.
var errTerminated = errors.New("agent terminated")

// commit performs effects until the context ends or the machine ends the agent.
func (e *Engine) commit(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case first := <-e.effects:
			all := e.gather(first)
			err := e.perform(ctx, all.effects)
			if err == nil || errors.Is(err, errTerminated) {
				all.show(&e.last)
			}
			if errors.Is(err, errTerminated) {
				return nil
			}
			if err != nil {
				return err
			}
		}
	}
}

// gathered are the steps that one wait for the disk serves.
type gathered struct {
	effects []state.Effect
	readers []step // of views
}

// gather takes what else is ready. Readers get what they asked for a little later
// than they could: when everything that was ready is done.
func (e *Engine) gather(first step) *gathered {
	all := &gathered{}
	all.add(first)
	for range effectQueue {
		select {
		case more := <-e.effects:
			all.add(more)
		default:
			return all
		}
	}
	return all
}

func (g *gathered) add(s step) {
	if s.reader != nil {
		g.readers = append(g.readers, s)
		return
	}
	g.effects = append(g.effects, s.effects...)
}

// show gives readers their views.
func (g *gathered) show(last *atomic.Pointer[state.View]) {
	for _, r := range g.readers {
		last.Store(r.view)
		r.reader <- r.view
	}
}

// perform makes the checkpoints durable and then does the rest in order.
func (e *Engine) perform(ctx context.Context, effects []state.Effect) error {
	var records []state.Record
	for _, effect := range effects {
		switch effect := effect.(type) {
		case state.Checkpoint:
			records = append(records, effect.Record)
		case state.DirectoriesReused, state.TaskReused: // before anything is written there
			e.reuse(effect)
		}
	}
	if len(records) > 0 {
		if err := e.cfg.Store.Apply(records); err != nil {
			return fmt.Errorf("the agent can't go on without its checkpoints: %w", err)
		}
	}
	for _, effect := range effects {
		if err := e.act(ctx, effect); err != nil {
			return err
		}
	}
	failpoint.Reach(failpoint.EffectsDone)
	return nil
}

// act performs one effect. It must not wait.
func (e *Engine) act(ctx context.Context, effect state.Effect) error {
	switch effect := effect.(type) {
	case state.Log:
		e.write(effect)
	case state.Send:
		e.send(effect)
	case state.Link:
		e.link(effect.PID)
	case state.DetectMaster:
		e.detect(ctx)
	case state.SendEvent:
		if !e.streams.send(effect.Stream, effect.Event) {
			e.later(func() { e.submitLater(state.StreamClosed{Stream: effect.Stream}) })
		}
	case state.CloseStream:
		e.streams.close(effect.Stream)
	case state.Reply:
		e.replies.deliver(effect)
	case state.Arm:
		e.timers.arm(effect.Timer, effect.After)
	case state.Disarm:
		e.timers.disarm(effect.Timer)
	case state.RecoverContainers:
		e.later(func() { e.recoverContainers(ctx, effect.Known) })
	case state.WaitContainer:
		e.later(func() { e.waitContainer(ctx, effect.Container) })
	case state.LaunchContainer:
		e.lane(effect.Container, func() { e.launchContainer(ctx, effect) })
	case state.UpdateContainer:
		e.lane(effect.Container, func() { e.updateContainer(ctx, effect) })
	case state.DescribeContainer:
		// Executors can be faster than the launch that tells of their process.
		e.lane(string(containerizer.IDOf(effect.Container).Root()), func() { e.describeContainer(ctx, effect) })
	case state.DestroyContainer:
		e.later(func() { e.destroyContainer(ctx, effect.Container) })
	case state.SandboxAdded:
		e.attachSandbox(effect)
	case state.VolumesShown:
		e.lane(effect.Container, func() { e.attachVolumes(effect) })
	case state.ExecutorRemoved:
		e.collectExecutor(effect)
	case state.TaskRemoved:
		e.collectTask(effect)
	case state.FrameworkRemoved:
		e.collectFramework(effect)
	case state.DirectoriesReused, state.TaskReused: // again, after what was removed in the same go
		e.reuse(effect)
	case state.RecoveryFinished:
		return e.recoveryFinished(ctx, effect.AgentID)
	case state.Terminate:
		if effect.Err != nil {
			return effect.Err
		}
		return errTerminated
	}
	return nil
}

// later runs something that takes time.
func (e *Engine) later(f func()) { e.work.Go(f) }

// lane is later, one after the other for one container.
func (e *Engine) lane(container string, f func()) {
	if e.lanes.add(container, f) {
		e.work.Go(func() { e.lanes.run(container) })
	}
}

func (e *Engine) write(l state.Log) {
	switch l.Level {
	case state.Debug:
		e.log.V(1).Info(l.Message, l.Fields...)
	case state.Error:
		e.log.Error(nil, l.Message, l.Fields...)
	default:
		e.log.Info(l.Message, l.Fields...)
	}
}

func (e *Engine) send(s state.Send) {
	to, err := libprocess.ParsePID(s.To)
	if err == nil {
		err = typed.Send(e.process, to, s.Message)
	}
	if err != nil {
		e.log.Error(err, "message not sent", "to", s.To, "message", typed.NameOf(s.Message))
	}
}

func (e *Engine) link(pid string) {
	to, err := libprocess.ParsePID(pid)
	if err == nil {
		err = e.process.Link(to, libprocess.Reconnect)
	}
	if err != nil {
		e.log.Error(err, "linking", "to", pid)
	}
}
