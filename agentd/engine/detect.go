package engine

import (
	"context"
	"time"

	"github.com/mesos-operator/mesos-operator/agentd/state"
)

// detect looks for the leading master in place of an earlier attempt.
func (e *Engine) detect(ctx context.Context) {
	if e.detection != nil {
		e.detection()
	}
	pause := time.Until(e.detectedAt.Add(e.cfg.DetectionPause))
	e.detectedAt = time.Now().Add(max(pause, 0))
	ctx, e.detection = context.WithCancel(ctx)
	e.later(func() {
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
		pid, err := e.cfg.Detector.Detect(ctx)
		if err != nil || ctx.Err() != nil {
			return // superseded, or the agent ends
		}
		e.submitLater(state.MasterDetected{PID: pid})
	})
}
