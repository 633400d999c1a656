package raft

import (
	"errors"
	"sync"
	"time"

	hraft "github.com/hashicorp/raft"
)

// errDiskStalled is the reason for which a member whose disk hangs says nothing
// to the others.
var errDiskStalled = errors.New("the disk of this master hangs")

// link is the transport that raft uses: it remembers what followers answered,
// and is silent while this member's disk hangs. raft sends heartbeats beside
// its disk, so a leader that can't write any more would otherwise lead on.
type link struct {
	*hraft.NetworkTransport
	stalled func() bool

	mu   sync.Mutex
	seen map[hraft.ServerID]contact
}

type contact struct {
	last uint64 // index of its last entry
	at   time.Time
}

func newLink(t *hraft.NetworkTransport, stalled func() bool) *link {
	return &link{NetworkTransport: t, stalled: stalled, seen: map[hraft.ServerID]contact{}}
}

// contact returns what a member answered last. A nil link has no members.
func (l *link) contact(id hraft.ServerID) (last uint64, at time.Time) {
	if l == nil {
		return 0, time.Time{}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.seen[id]
	return c.last, c.at
}

// AppendEntries implements hraft.Transport. Heartbeats come here too.
func (l *link) AppendEntries(
	id hraft.ServerID, target hraft.ServerAddress, args *hraft.AppendEntriesRequest, resp *hraft.AppendEntriesResponse,
) error {
	if l.stalled() {
		return errDiskStalled
	}
	if err := l.NetworkTransport.AppendEntries(id, target, args, resp); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen[id] = contact{last: resp.LastLog, at: time.Now()}
	return nil
}

// AppendEntriesPipeline implements hraft.Transport.
func (l *link) AppendEntriesPipeline(id hraft.ServerID, target hraft.ServerAddress) (hraft.AppendPipeline, error) {
	p, err := l.NetworkTransport.AppendEntriesPipeline(id, target)
	if err != nil {
		return nil, err
	}
	return &pipeline{AppendPipeline: p, stalled: l.stalled}, nil
}

type pipeline struct {
	hraft.AppendPipeline
	stalled func() bool
}

// AppendEntries implements hraft.AppendPipeline.
func (p *pipeline) AppendEntries(
	args *hraft.AppendEntriesRequest, resp *hraft.AppendEntriesResponse,
) (hraft.AppendFuture, error) {
	if p.stalled() {
		return nil, errDiskStalled
	}
	return p.AppendPipeline.AppendEntries(args, resp)
}
