package raft

import (
	"fmt"
	"time"

	hraft "github.com/hashicorp/raft"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

const (
	// diskInterval is how often a leader looks whether its disk hangs.
	diskInterval = 100 * time.Millisecond
	// transferTimeout bounds passing the leadership on, which takes a moment
	// if another member has caught up.
	transferTimeout = 3 * time.Second
)

// Leadership implements election.Ensemble: true when this member is elected,
// false when it is deposed, or gives up because its disk hangs.
func (s *Store) Leadership() <-chan bool { return s.words }

// Leader returns the master that leads as far as this member knows, or nil.
// Between its election and its first entry a new leader is not known yet.
func (s *Store) Leader() *mesos.MasterInfo {
	_, elected := s.raft.LeaderWithID()
	member, info := s.fsm.leader()
	if elected == "" || string(elected) != member {
		return nil
	}
	return info
}

// Resign passes the leadership on. It fails in a group of one.
func (s *Store) Resign() error {
	err := bounded(transferTimeout, func() error { return s.raft.LeadershipTransfer().Error() })
	if err != nil {
		return fmt.Errorf("passing on the leadership: %w", err)
	}
	return nil
}

func (s *Store) handOver(id hraft.ServerID, address hraft.ServerAddress) error {
	return bounded(transferTimeout, func() error { return s.raft.LeadershipTransferToServer(id, address).Error() })
}

// tellLeadership passes on raft's word, unless the disk hangs: raft's own loop
// hangs with it, and would never notice.
func (s *Store) tellLeadership() {
	tick := time.NewTicker(diskInterval)
	defer tick.Stop()
	elected, hung := false, false
	for {
		select {
		case <-s.closing:
			return
		case elected = <-s.raft.LeaderCh():
			s.tell(elected && !hung)
		case <-tick.C:
			now := elected && s.Voters() > 1 && s.storage.disk.stalled()
			if now == hung {
				continue
			}
			hung = now
			if hung {
				s.log.Info("the disk of the leading master hangs: it gives up the leadership",
					"severity", "warning", "after", s.cfg.DiskTimeout.String())
			}
			s.tell(elected && !hung)
		}
	}
}

// tell replaces a word that nobody took yet.
func (s *Store) tell(leads bool) {
	select {
	case <-s.words:
	default:
	}
	s.words <- leads
}

// Voters is the number of members with a vote, 0 if it is not known.
func (s *Store) Voters() int {
	future := s.raft.GetConfiguration()
	if future.Error() != nil {
		return 0
	}
	n := 0
	for _, server := range future.Configuration().Servers {
		if server.Suffrage == hraft.Voter {
			n++
		}
	}
	return n
}

// Listed is the number of members on the list of peers that this one goes by.
func (s *Store) Listed() int { return int(s.listed.Load()) }

// Current is the number of members with a vote that answer and have all that was
// committed, this one included. Only the leader knows; ok is false on others.
func (s *Store) Current() (n int, ok bool) {
	if s.raft.State() != hraft.Leader {
		return 0, false
	}
	future := s.raft.GetConfiguration()
	if future.Error() != nil {
		return 0, false
	}
	for _, server := range future.Configuration().Servers {
		if server.Suffrage != hraft.Voter {
			continue
		}
		if h := s.health(server.ID); server.ID == s.self || h.alive && h.current {
			n++
		}
	}
	return n, true
}
