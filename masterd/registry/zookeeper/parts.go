package zookeeper

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/mesos-operator/mesos-operator/internal/zookeeper"
)

const (
	// maxPart is half of the 1 MiB that ZooKeeper's servers take as one request
	// unless told otherwise (jute.maxbuffer).
	maxPart = 512 << 10
	// maxTogether is what goes into one request with the head.
	maxTogether = maxPart
	// atOnce is how many parts travel at the same time.
	atOnce = 8
)

// split cuts data into parts.
func split(data []byte) [][]byte { return slices.Collect(slices.Chunk(data, maxPart)) }

// read returns the bytes of nodes that are named by a function.
func (s *Store) read(ctx context.Context, zs *zookeeper.Session, e extent, name func(int) string, what string) ([]byte, error) {
	parts := make([][]byte, e.Parts)
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(atOnce)
	for i := range parts {
		work.Go(func() (err error) {
			parts[i], _, err = zs.Get(ctx, s.path(name(i)))
			return err
		})
	}
	if err := work.Wait(); err != nil {
		return nil, err
	}
	data := slices.Concat(parts...)
	return data, e.check(data, what)
}

// write makes nodes of parts. They are this member's own: one that exists
// already was made by an attempt whose answer got lost.
func (s *Store) write(ctx context.Context, parts [][]byte, name func(int) string) error {
	err := s.with(ctx, func(zs *zookeeper.Session) error {
		work, ctx := errgroup.WithContext(ctx)
		work.SetLimit(atOnce)
		for i, part := range parts {
			work.Go(func() error { return zs.Create(ctx, s.path(name(i)), part) })
		}
		return work.Wait()
	})
	if err != nil {
		return fmt.Errorf("writing parts of the registry: %w", err)
	}
	return nil
}

// sweep removes the nodes that the head doesn't name: of earlier snapshots, and
// of writes that came to nothing. What can't be removed is left for the next.
func (s *Store) sweep(ctx context.Context, h head) {
	zs, err := s.connect(ctx)
	if err != nil {
		return
	}
	names, _, err := zs.Children(ctx, s.root)
	if err != nil {
		return
	}
	keep := h.names()
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(atOnce)
	for _, name := range names {
		// Higher numbers are of a leader that came after this one.
		if n, ok := number(name); ok && n <= h.Number && !keep[name] {
			work.Go(func() error { return zs.Delete(ctx, s.path(name)) })
		}
	}
	if err := work.Wait(); err != nil {
		s.log.V(1).Info("old parts of the registry could not be removed", "reason", err.Error())
	}
}

// number reads the number of a part's name.
func number(name string) (n uint64, ok bool) {
	digits, _, ok := strings.Cut(name, "-")
	n, err := strconv.ParseUint(digits, 10, 64)
	return n, ok && err == nil
}
