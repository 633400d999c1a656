package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mesos-operator/mesos-operator/internal/auth"
	"github.com/mesos-operator/mesos-operator/internal/auth/cram"
	"github.com/mesos-operator/mesos-operator/internal/libprocess"
)

// Authentication says as whom the agent goes to its master.
type Authentication struct {
	// Credential is asked for each attempt, as it may change; nil if the agent goes
	// as nobody.
	Credential func() auth.Credential
	// TimeoutMin and TimeoutMax bound one attempt
	// (--authentication_timeout_min and _max), BackoffFactor how fast they
	// grow from the one to the other (--authentication_backoff_factor).
	TimeoutMin, TimeoutMax, BackoffFactor time.Duration
	// Spread is the time over which agents spread their first attempts with a
	// new master (--registration_backoff_factor).
	Spread time.Duration
}

// greet authenticates with a master that was detected. It goes on until that
// worked, was refused (then the agent must end), or ctx ended; an error that is
// neither means that the master is gone.
func (e *Engine) greet(ctx context.Context, pid string) error {
	cfg := e.cfg.Authentication
	if cfg.Credential == nil {
		return nil
	}
	master, err := libprocess.ParsePID(pid)
	if err != nil {
		return fmt.Errorf("authenticating: %w", err)
	}
	client := libprocess.PID{ID: e.cfg.ProcessID, Address: e.cfg.Node.Address()}
	wait(ctx, e.fraction(cfg.Spread))
	// The bounds of the timeout: [min, min+factor·2^n], up to max.
	for most := cfg.TimeoutMin + 2*cfg.BackoffFactor; ctx.Err() == nil; most = cfg.TimeoutMin + 2*(most-cfg.TimeoutMin) {
		most = min(most, cfg.TimeoutMax)
		timeout := cfg.TimeoutMin + e.fraction(most-cfg.TimeoutMin)
		begin := time.Now()
		err := e.attempt(ctx, timeout, master, client)
		switch {
		case err == nil:
			e.log.Info("authenticated", "master", pid, "principal", cfg.Credential().Principal)
			return nil
		case errors.Is(err, cram.ErrRefused), errors.Is(err, cram.ErrLost):
			return err
		}
		e.log.Info("authentication failed, trying again", "master", pid, "reason", err.Error())
		if ctx.Err() == nil && !errors.Is(err, context.DeadlineExceeded) {
			wait(ctx, timeout-time.Since(begin)) // an error that comes at once must not be asked for without rest
		}
	}
	return ctx.Err()
}

func (e *Engine) attempt(ctx context.Context, timeout time.Duration, master, client libprocess.PID) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return cram.Authenticate(ctx, e.cfg.Node, master, client, e.cfg.Authentication.Credential())
}

// fraction is a random part of a time.
func (e *Engine) fraction(d time.Duration) time.Duration {
	return time.Duration(random{}.Fraction() * float64(d))
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
