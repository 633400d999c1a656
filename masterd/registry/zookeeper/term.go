package zookeeper

import (
	"context"
	"errors"
	"fmt"
	"time"

	registrypb "github.com/mesos-operator/mesos-operator/api/mesos/messages/registry"
	"github.com/mesos-operator/mesos-operator/internal/zookeeper"
	"github.com/mesos-operator/mesos-operator/masterd/registry"
	"github.com/mesos-operator/mesos-operator/masterd/registry/op"
)

const (
	// smallLog is how long a log may be however short its snapshot is: a leader
	// that takes over reads it in a moment.
	smallLog = 1 << 20
	// longLog is how many parts a log may have: a leader reads each by a
	// request of its own.
	longLog = 1000
)

// term implements registry.Term. Its fields but store are guarded by
// Store.writing.
type term struct {
	store   *Store
	head    head
	version int32
	broken  error // what ended it
}

// Apply implements registry.Term.
func (t *term) Apply(ctx context.Context, operations []op.Operation) ([]op.Result, error) {
	ctx, cancel, err := t.store.until(ctx)
	if err != nil {
		return nil, err
	}
	defer cancel()
	t.store.writing.Lock()
	defer t.store.writing.Unlock()
	switch {
	case !t.store.current(t):
		return nil, registry.ErrNotLeader
	case t.broken != nil:
		return nil, t.broken
	case len(operations) == 0:
		return []op.Result{}, nil
	}
	if err := ctx.Err(); err != nil { // nothing was tried
		return nil, fmt.Errorf("%w: %w", registry.ErrUnknownFate, err)
	}
	if err := t.append(ctx, operations); err != nil {
		err = fmt.Errorf("writing %d operations to the registry: %w", len(operations), err)
		t.broken = t.store.explain(ctx, err)
		return nil, t.broken
	}
	results := t.store.apply(operations)
	if t.tooLong() {
		if err := t.snapshot(ctx, t.store.Snapshot()); err != nil {
			// The operations are durable; only what comes next isn't.
			t.broken = t.store.explain(ctx, err)
		}
	}
	return results, nil
}

func (t *term) tooLong() bool {
	log := t.head.Log
	return log.Parts > longLog || log.Bytes > max(smallLog, t.head.Snapshot.Bytes)
}

// append adds operations to the log.
func (t *term) append(ctx context.Context, ops []op.Operation) error {
	data, err := appendBatch(nil, ops)
	if err != nil {
		return err
	}
	parts := split(data)
	next := t.head
	next.Log = next.Log.with(data, len(parts))
	name := func(i int) string { return next.logNode(t.head.Log.Parts + i) }
	if len(data) <= maxTogether {
		return t.replace(ctx, next, zookeeper.Write{Path: t.store.path(name(0)), Data: data, Version: zookeeper.New})
	}
	if err := t.store.write(ctx, parts, name); err != nil {
		return err
	}
	return t.replace(ctx, next)
}

// snapshot puts the whole registry in the place of snapshot and log.
func (t *term) snapshot(ctx context.Context, r *registrypb.Registry) error {
	data, err := encodeSnapshot(r)
	if err != nil {
		return err
	}
	next, parts := head{Format: format, Number: t.head.Number + 1, Name: random()}, split(data)
	next.Snapshot = extent{}.with(data, len(parts))
	if err = t.store.write(ctx, parts, next.snapshotNode); err != nil {
		return err
	}
	if err = t.replace(ctx, next); err != nil {
		return err
	}
	t.store.sweep(ctx, t.head)
	return nil
}

// replacePause is between two attempts to replace the head.
const replacePause = 100 * time.Millisecond

// replace makes next the head, together with another write, if nobody else has
// replaced it. While the connection breaks it finds out what became of the
// attempt, and tries again.
func (t *term) replace(ctx context.Context, next head, with ...zookeeper.Write) error {
	next.Mark = random()
	data, err := next.encode()
	if err != nil {
		return err
	}
	writes := append(with, zookeeper.Write{Path: t.store.root, Data: data, Version: t.version})
	for {
		lost, conflict, err := t.commit(ctx, writes)
		if err != nil {
			return err
		}
		if !lost && !conflict {
			t.head, t.version = next, t.version+1
			return nil
		}
		made, err := t.made(ctx, next)
		switch {
		case err != nil:
			return err
		case made:
			t.head, t.version = next, t.version+1
			return nil
		case conflict:
			return fmt.Errorf("%w: another member replaced the head", registry.ErrNotLeader)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(replacePause):
		}
	}
}

// commit tries once. It says whether the answer got lost, and whether something
// is in the way, which after a lost answer may be the same write.
func (t *term) commit(ctx context.Context, writes []zookeeper.Write) (lost, conflict bool, err error) {
	zs, err := t.store.connect(ctx)
	if err != nil {
		return false, false, err
	}
	err = zs.Commit(ctx, writes...)
	switch {
	case err == nil:
		return false, false, nil
	case ctx.Err() != nil:
		return false, false, err
	case zookeeper.Unanswered(err), errors.Is(err, zookeeper.ErrLost):
		return true, false, nil
	case errors.Is(err, zookeeper.ErrVersion), errors.Is(err, zookeeper.ErrExists):
		return false, true, nil
	}
	return false, false, err
}

// made says whether the head is next.
func (t *term) made(ctx context.Context, next head) (made bool, err error) {
	err = t.store.with(ctx, func(zs *zookeeper.Session) error {
		if err := zs.Sync(ctx, t.store.root); err != nil {
			return err
		}
		data, _, err := zs.Get(ctx, t.store.root)
		if err != nil {
			return err
		}
		h, err := decodeHead(data)
		made = h.Mark == next.Mark
		return err
	})
	return made, err
}
