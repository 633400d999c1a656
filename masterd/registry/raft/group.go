package raft

import (
	"errors"
	"fmt"
	"slices"
	"time"

	hraft "github.com/hashicorp/raft"
)

const (
	// groupInterval is how often the leader compares the group with the list
	// of peers. A step is a moment's work, and a group of five needs ten.
	groupInterval = 250 * time.Millisecond
	// peersInterval is how often the list of peers is read anew.
	peersInterval = time.Second
	// changeTimeout bounds one change of the group.
	changeTimeout = 10 * time.Second
)

// peers is the list of peers as it was last readable.
type peers struct {
	list   []Peer
	reload func() ([]Peer, error)
	read   time.Time
	broken string // what was wrong the last time, to say it once
}

// now returns the list. One that can't be read, or names nobody, changes
// nothing: a group doesn't fall apart over a file that is being written.
func (p *peers) now() ([]Peer, error) {
	if p.reload == nil || time.Since(p.read) < peersInterval {
		return p.list, nil
	}
	p.read = time.Now()
	list, err := p.reload()
	if err == nil && len(list) == 0 {
		err = errors.New("no peer is listed")
	}
	if err == nil {
		err = errors.Join(duplicates(list)...)
	}
	if err == nil {
		p.list, p.broken = list, ""
		return p.list, nil
	}
	if err.Error() == p.broken {
		return p.list, nil
	}
	p.broken = err.Error()
	return p.list, fmt.Errorf("reading the list of raft peers: %w", err)
}

// keepGroup makes the group what the list of peers says, step by step, while
// this member leads.
func (s *Store) keepGroup() {
	if len(s.cfg.Peers) == 0 {
		return
	}
	list := &peers{list: s.cfg.Peers, reload: s.cfg.Reload}
	tick := time.NewTicker(groupInterval)
	defer tick.Stop()
	member, failed := true, ""
	for {
		select {
		case <-s.closing:
			return
		case <-tick.C:
		}
		wanted, err := list.now()
		if err != nil {
			s.log.Error(err, "the group of masters stays as it is")
		}
		s.listed.Store(int32(len(wanted)))
		member = s.sayIfRemoved(member)
		if s.raft.State() == hraft.Leader {
			failed = s.step(wanted, failed)
		}
	}
}

// step takes one step, and says what is in its way once for each reason.
func (s *Store) step(wanted []Peer, failed string) string {
	future := s.raft.GetConfiguration()
	if future.Error() != nil {
		return failed
	}
	c, ok := nextChange(future.Configuration().Servers, wanted, s.self, s.health)
	if !ok {
		return ""
	}
	log := s.log.WithValues("change", c.kind, "member", c.server.ID, "address", c.server.Address)
	if err := s.perform(c, future.Index()); err != nil {
		if reason := string(c.kind) + string(c.server.ID) + err.Error(); reason != failed {
			log.Info("the registry's group could not be changed", "severity", "warning", "reason", err.Error())
			return reason
		}
		return failed
	}
	log.Info("changed the registry's group")
	return ""
}

func (s *Store) perform(c change, previous uint64) error {
	id, address := c.server.ID, c.server.Address
	var future hraft.Future
	switch {
	case c.kind == removeMember:
		future = s.raft.RemoveServer(id, previous, changeTimeout)
	case c.kind == handOver:
		return s.handOver(id, address)
	case c.server.Suffrage == hraft.Voter:
		future = s.raft.AddVoter(id, address, previous, changeTimeout)
	default:
		future = s.raft.AddNonvoter(id, address, previous, changeTimeout)
	}
	return bounded(changeTimeout, future.Error)
}

// health tells, on the leader, how a member is.
func (s *Store) health(id hraft.ServerID) health {
	last, at := s.storage.link.contact(id)
	return health{
		alive:   time.Since(at) < 3*s.cfg.HeartbeatTimeout,
		current: last >= s.raft.CommitIndex(),
	}
}

// sayIfRemoved tells the operator of a master that it isn't needed any more. It
// goes on, without a vote, in case it is listed again.
func (s *Store) sayIfRemoved(member bool) bool {
	future := s.raft.GetConfiguration()
	if future.Error() != nil {
		return member
	}
	servers := future.Configuration().Servers
	now := len(servers) == 0 || slices.ContainsFunc(servers, func(server hraft.Server) bool { return server.ID == s.self })
	if member && !now {
		s.log.Info("this master is not a member of the registry's group any more; it can be stopped", "member", s.self)
	}
	return now
}

// errTooSlow says that raft didn't answer in time, which it doesn't while its
// disk hangs.
var errTooSlow = errors.New("no answer in time")

// bounded waits for f no longer than limit. f goes on by itself then.
func bounded(limit time.Duration, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		return fmt.Errorf("%w: %v", errTooSlow, limit)
	}
}
