package engine

import (
	"context"
	"errors"
	"time"

	"github.com/mesos-operator/mesos-operator/agentd/state"
	"github.com/mesos-operator/mesos-operator/internal/auth/cram"
)

// detect looks for the leading master, in place of an earlier attempt, and
// authenticates with it if the agent is to.
func (e *Engine) detect(ctx context.Context) {
	if e.detection != nil {
		e.detection()
	}
	pause := time.Until(e.detectedAt.Add(e.cfg.DetectionPause))
	e.detectedAt = time.Now().Add(max(pause, 0))
	ctx, e.detection = context.WithCancel(ctx)
	e.later(func() {
		for wait(ctx, pause); ctx.Err() == nil; wait(ctx, e.cfg.DetectionPause) {
			pid, err := e.cfg.Detector.Detect(ctx)
			if err == nil {
				err = e.greet(ctx, pid)
			}
			switch {
			case ctx.Err() != nil: // superseded, or the agent ends
				return
			case err == nil:
				e.submitLater(state.MasterDetected{PID: pid})
				if e.cfg.Detector.Superseded(ctx, pid) == nil {
					e.submitLater(state.PeerExited{PID: pid}) // its own link may last
				}
				return
			case errors.Is(err, cram.ErrRefused):
				e.submitLater(state.MasterRefused{Err: err})
				return
			}
			e.log.Info("looking for the master again", "reason", err.Error())
		}
	})
}
