package mesos

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/cgroups"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/process"
	"github.com/mesos-operator/mesos-operator/agentd/paths"
)

// Recover implements containerizer.Containerizer.
func (m *Containerizer) Recover(ctx context.Context, known []containerizer.Recovered) ([]containerizer.ID, error) {
	var all []*container
	for _, k := range known {
		plan, err := m.retranslate(&k.Config)
		if err != nil { // an agent of another version launched it
			m.log.Error(err, "Docker container is taken over without its options", "container_id", k.Config.ID)
		}
		c, err := m.register(k.Config, plan)
		if err != nil {
			return nil, fmt.Errorf("recovering container %s: %w", k.Config.ID, err)
		}
		all = append(all, c)
	}
	standalone, err := m.adoptStandalone()
	if err != nil {
		return nil, fmt.Errorf("looking for standalone containers: %w", err)
	}
	all = append(all, standalone...)
	for _, c := range all {
		all = append(all, m.adoptNested(c)...)
	}
	ids, err := m.traces()
	if err != nil {
		return nil, fmt.Errorf("looking for orphans: %w", err)
	}
	var orphans []containerizer.ID
	for _, id := range ids {
		if _, err := m.find(id); errors.Is(err, containerizer.ErrUnknown) {
			orphans = append(orphans, id)
		}
	}
	if err := m.recoverImages(orphans); err != nil {
		return nil, err
	}
	// All are known before the first is taken over: one that has ended ends its children.
	for _, c := range all {
		m.recallImage(c)
	}
	for _, c := range all {
		m.recover(c)
	}
	var strays []*container
	for _, id := range orphans {
		strays = append(strays, m.stray(id))
	}
	for _, c := range all {
		strays = append(strays, m.strays(c)...)
	}
	return orphans, m.destroyStrays(ctx, strays)
}

// strays are what is nested in a container and known by traces only: their records are
// damaged or gone, or they were never started.
func (m *Containerizer) strays(parent *container) []*container {
	names := nestedNames(parent.dir)
	if m.tree != nil {
		more, err := m.tree.List(filepath.Join(m.groupPath(parent.id), nestedGroups))
		if err != nil {
			m.log.Error(err, "Looking for orphans in a container", "container_id", parent.id)
		}
		names = append(names, more...)
	}
	slices.Sort(names)
	var out []*container
	for _, name := range slices.Compact(names) {
		id := parent.id.Child(name)
		if _, err := m.find(id); errors.Is(err, containerizer.ErrUnknown) && checkID(id) == nil {
			out = append(out, m.newContainer(containerizer.Config{ID: id}, parent))
		}
	}
	return out
}

// recover takes a known container over, or ends it if it can't be.
func (m *Containerizer) recover(c *container) {
	log := m.log.WithValues("container_id", c.id)
	if m.recallTermination(c) {
		m.sandboxEnded(c, true)
		c.cancel()
		close(c.launched)
		close(c.done)
		return
	}
	if c.cfg.Class == containerizer.ClassDebug {
		defer m.startDestroy(c)
	}
	r, ok, err := recall(c.dir)
	switch {
	case err != nil:
		log.Error(err, "Container has no usable record and is destroyed")
	case !ok:
		log.Info("Container was never started")
	}
	if rt := m.runtimes[r.Runtime]; rt != nil {
		c.runtime = rt
	}
	if ok && r.Boot == m.boot {
		m.recallIO(c, r.IO)
	}
	if ok && r.Boot == m.boot && r.Stage.PID != 0 {
		// One that nobody has reaped yet has ended as well.
		if w, err := process.Open(r.Stage); err == nil && !r.Stage.Alive() {
			_ = w.Close()
		} else if err == nil {
			c.stage = w
			c.iso.Stage, c.iso.PID = r.Stage.PID, r.PID
			if c.iso.PID == 0 { // the agent died before it could keep that
				c.iso.PID = firstChild(r.Stage.PID)
			}
		} else if !errors.Is(err, process.ErrGone) {
			log.Error(err, "Container can't be watched and is destroyed")
		}
	}
	if c.stage == nil {
		close(c.launched)
		go m.end(c)
		return
	}
	// A container of an agent that made no cgroups has none now either, and
	// nothing that works by them.
	if c.iso.Group != nil && !c.iso.Group.Exists() {
		c.iso.Group = nil
		c.isolators = slices.DeleteFunc(slices.Clone(c.isolators), func(i isolator.Isolator) bool {
			k, _ := kindOf(i.Name())
			return k.cgroups
		})
	}
	if err := m.attach(c, true); err != nil {
		log.Error(err, "Container's isolation can't be observed; it is destroyed")
		close(c.launched)
		m.kill(c)
		go m.supervise(c)
		return
	}
	log.Info("Container recovered", "pid", c.iso.PID)
	close(c.launched)
	go m.supervise(c)
}

// firstChild is the command of a stage, or the stage itself if that was so far
// all there is.
func firstChild(stage int) int {
	if tree, err := process.Tree(stage); err == nil && len(tree) > 1 {
		return tree[1].PID
	}
	return stage
}

// traces lists the containers that the index and the cgroups tell of.
func (m *Containerizer) traces() ([]containerizer.ID, error) {
	entries, err := os.ReadDir(m.index())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var ids []containerizer.ID
	for _, e := range entries {
		ids = append(ids, containerizer.ID(e.Name()))
	}
	if m.tree != nil {
		names, err := m.tree.List(m.cfg.CgroupsRoot)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			if name != cgroups.Leaf {
				ids = append(ids, containerizer.ID(name))
			}
		}
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	return slices.DeleteFunc(ids, func(id containerizer.ID) bool { return paths.CheckID(string(id)) != nil }), nil
}

// destroyStrays destroys containers that nobody knows. One that can't be is told in the
// log: it must not keep the agent from starting. An agent that is told to end meanwhile
// doesn't wait: its next life finds what is left.
func (m *Containerizer) destroyStrays(ctx context.Context, all []*container) error {
	var wg sync.WaitGroup
	// Destroying is mostly waiting for the kernel.
	limit := make(chan struct{}, 16)
	for _, c := range all {
		wg.Go(func() {
			select {
			case limit <- struct{}{}:
				defer func() { <-limit }()
			case <-ctx.Done():
				return
			}
			m.log.Info("Destroying an orphaned container", "container_id", c.id)
			err := m.destroyTraces(c)
			if err == nil && c.parent != nil { // nobody asks how it ended
				err = os.RemoveAll(c.dir)
			}
			if err != nil {
				m.log.Error(err, "Orphaned container could not be destroyed", "container_id", c.id)
			}
		})
	}
	destroyed := make(chan struct{})
	go func() { wg.Wait(); close(destroyed) }()
	select {
	case <-destroyed:
	case <-ctx.Done():
	}
	m.orphaned()
	return ctx.Err()
}

// stray is an outermost container that nobody knows.
func (m *Containerizer) stray(id containerizer.ID) *container {
	c := m.newContainer(containerizer.Config{ID: id}, nil)
	if target, err := os.Readlink(m.entry(id)); err == nil {
		c.dir = target
	}
	return c
}

// destroyTraces destroys what is found of a container, what is nested in it first.
func (m *Containerizer) destroyTraces(c *container) error {
	defer c.cancel()
	var errs []error
	for _, child := range m.strays(c) {
		errs = append(errs, m.destroyTraces(child))
	}
	r, ok, err := recall(c.dir)
	if err != nil {
		m.log.Error(err, "Orphan has no usable record", "container_id", c.id)
	}
	if rt := m.runtimes[r.Runtime]; rt != nil {
		c.runtime = rt
	}
	if ok && r.Boot == m.boot {
		m.recallIO(c, r.IO)
		c.ioFailed = true
		if w, err := process.Open(r.Stage); err == nil {
			defer w.Close()
			c.stage, c.iso.Stage, c.iso.PID = w, r.Stage.PID, r.PID
		}
	}
	if c.stage != nil { // it may be in another cgroup root, or in none
		ctx, cancel := context.WithTimeout(context.Background(), m.cfg.DestroyTimeout)
		defer cancel()
		errs = append(errs, m.killTree(ctx, c))
	}
	return errors.Join(append(errs, m.killAll(c), m.cleanUp(c))...)
}
