package zookeeper

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-zookeeper/zk"
)

// ErrNoNode says that a node doesn't exist.
var ErrNoNode = zk.ErrNoNode

// ErrExists says that a node exists already.
var ErrExists = zk.ErrNodeExists

// ErrVersion says that a node was changed by somebody else.
var ErrVersion = zk.ErrBadVersion

// node is what ZooKeeper has of a node.
type node struct {
	data []byte
	stat *zk.Stat
}

func (s *Session) get(ctx context.Context, path string) (node, error) {
	n, err := refetch(ctx, s, func() (n node, err error) {
		n.data, n.stat, err = s.conn.Get(path)
		return n, err
	})
	if err != nil {
		return node{}, fmt.Errorf("reading %s: %w", path, err)
	}
	return n, nil
}

// Get returns a node's data and the version of it. The error wraps ErrNoNode.
func (s *Session) Get(ctx context.Context, path string) (data []byte, version int32, err error) {
	n, err := s.get(ctx, path)
	if err != nil {
		return nil, 0, err
	}
	return n.data, n.stat.Version, nil
}

// Children returns the names of a node's children, and a channel that delivers
// once when they change or nobody can tell any more.
func (s *Session) Children(ctx context.Context, path string) (names []string, changed <-chan zk.Event, err error) {
	type children struct {
		names   []string
		changed <-chan zk.Event
	}
	c, err := refetch(ctx, s, func() (c children, err error) {
		c.names, _, c.changed, err = s.conn.ChildrenW(path)
		return c, err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("listing %s: %w", path, err)
	}
	return c.names, c.changed, nil
}

// Sync makes sure that what is read of a path next has everything that was
// written before, by whomever.
func (s *Session) Sync(ctx context.Context, path string) error {
	err := s.retry(ctx, func() error { _, err := s.conn.Sync(path); return err })
	if err != nil {
		return fmt.Errorf("synchronizing %s: %w", path, err)
	}
	return nil
}

// Create makes a persistent node, and succeeds if there is one with any data.
func (s *Session) Create(ctx context.Context, path string, data []byte) error {
	err := s.retry(ctx, func() error { _, err := s.conn.Create(path, data, 0, s.acl); return err })
	if err != nil && !errors.Is(err, ErrExists) {
		return fmt.Errorf("creating %s: %w", path, err)
	}
	return nil
}

// Ensure makes a path with all that is above it. A part that exists is not
// touched, and needn't be writable.
func (s *Session) Ensure(ctx context.Context, path string) error {
	if path == "/" {
		return nil
	}
	_, _, err := s.Get(ctx, path)
	if err == nil || !errors.Is(err, ErrNoNode) {
		return err
	}
	if parent := path[:strings.LastIndex(path, "/")]; parent != "" {
		if err := s.Ensure(ctx, parent); err != nil {
			return err
		}
	}
	return s.Create(ctx, path, nil)
}

// Delete removes a node of any version; one that doesn't exist is no error.
func (s *Session) Delete(ctx context.Context, path string) error {
	err := s.retry(ctx, func() error { return s.conn.Delete(path, -1) })
	if err != nil && !errors.Is(err, ErrNoNode) {
		return fmt.Errorf("removing %s: %w", path, err)
	}
	return nil
}

// Write is one of the writes of Commit: of a node that is to be created, or,
// with a version, to be replaced.
type Write struct {
	Path string
	Data []byte
	// Version that is replaced; New to create the node.
	Version int32
}

// New is the version of a node that doesn't exist.
const New int32 = -1

// Commit makes all writes or none, once. The error wraps ErrVersion, ErrExists
// or ErrNoNode if a node isn't what was expected; after Unanswered it isn't
// known whether they were made.
func (s *Session) Commit(ctx context.Context, writes ...Write) error {
	ops := make([]any, len(writes))
	for i, w := range writes {
		if w.Version == New {
			ops[i] = &zk.CreateRequest{Path: w.Path, Data: w.Data, Acl: s.acl}
		} else {
			ops[i] = &zk.SetDataRequest{Path: w.Path, Data: w.Data, Version: w.Version}
		}
	}
	return s.do(ctx, func() error {
		answers, err := s.conn.Multi(ops...)
		for i, a := range answers { // the first error is the cause, others say that they weren't tried
			if a.Error != nil {
				return fmt.Errorf("writing %s: %w", writes[i].Path, a.Error)
			}
		}
		return err
	})
}
