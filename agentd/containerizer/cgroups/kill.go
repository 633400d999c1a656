package cgroups

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// Waiting for killed processes to leave starts with the first interval and
// doubles up to the second: most are gone within a millisecond.
const (
	minPoll = 500 * time.Microsecond
	maxPoll = 50 * time.Millisecond
)

// Kill kills every process of the group and below it, and returns when they
// have left it.
func (g *Group) Kill(ctx context.Context) error {
	for wait := minPoll; ; wait = min(2*wait, maxPoll) {
		pids, err := g.Processes()
		if err != nil {
			return err
		}
		if len(pids) == 0 {
			return nil
		}
		g.killOnce(pids)
		select {
		case <-ctx.Done():
			return fmt.Errorf("killing the processes %v of cgroup %s: %w", pids, g.path, ctx.Err())
		case <-time.After(wait):
		}
	}
}

// killOnce kills what there is. The kernel's own cgroup.kill (Linux 5.14) misses
// no child that is just being forked; without it the group is frozen meanwhile.
func (g *Group) killOnce(pids []int) {
	if !g.killAtOnce() {
		g.setFrozen(true)
		defer g.setFrozen(false)
	}
	for _, pid := range pids {
		_ = syscall.Kill(pid, syscall.SIGKILL) // one that is gone needs none
	}
	g.setFrozen(false) // a frozen process does not die, whoever froze it
}

func (g *Group) killAtOnce() bool {
	for _, h := range g.tree.hierarchies {
		if h.Unified && writeFile(filepath.Join(g.dir(h), "cgroup.kill"), "1") == nil {
			return true
		}
	}
	return false
}

// setFrozen freezes or thaws with what the machine has.
func (g *Group) setFrozen(frozen bool) {
	state, flag := "THAWED", "0"
	if frozen {
		state, flag = "FROZEN", "1"
	}
	for _, h := range g.tree.hierarchies {
		switch {
		case slices.Contains(h.Controllers, "freezer"):
			_ = writeFile(filepath.Join(g.dir(h), "freezer.state"), state)
		case h.Unified:
			_ = writeFile(filepath.Join(g.dir(h), "cgroup.freeze"), flag)
		}
	}
}

// Remove removes the group and those below it from every hierarchy. They must
// have no processes; the kernel may take a moment to see that, which is waited
// for. A group that doesn't exist is no error.
func (g *Group) Remove(ctx context.Context) error {
	for wait := minPoll; ; wait = min(2*wait, maxPoll) {
		err := g.removeOnce()
		if err == nil {
			return nil
		}
		if !errors.Is(err, syscall.EBUSY) {
			return fmt.Errorf("removing cgroup %s: %w", g.path, err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("removing cgroup %s: %w", g.path, errors.Join(err, ctx.Err()))
		case <-time.After(wait):
		}
	}
}

func (g *Group) removeOnce() error {
	var errs []error
	for _, h := range g.tree.hierarchies {
		errs = append(errs, walk(g.dir(h), func(dir string) error {
			return ignoreGone(rmdir(dir))
		}))
	}
	return errors.Join(errs...)
}

func rmdir(dir string) error {
	for {
		if err := syscall.Rmdir(dir); err != syscall.EINTR {
			if err != nil {
				return &os.PathError{Op: "rmdir", Path: dir, Err: err}
			}
			return nil
		}
	}
}

// Destroy is Kill, then Remove.
func (g *Group) Destroy(ctx context.Context) error {
	if err := g.Kill(ctx); err != nil {
		return err
	}
	return g.Remove(ctx)
}
