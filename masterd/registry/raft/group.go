package raft

import (
	"time"

	hraft "github.com/hashicorp/raft"
)

const (
	// groupInterval is how often the leader compares the group with the list
	// of peers.
	groupInterval = time.Second
	// joinTimeout bounds one change of the group.
	joinTimeout = 10 * time.Second
)

// keepGroup makes the group, while this member leads, what the list of peers
// says: whoever is missing, or moved to another address, is added, one after
// the other. Nobody is removed.
func (s *Store) keepGroup() {
	if len(s.cfg.Peers) == 0 {
		return
	}
	tick := time.NewTicker(groupInterval)
	defer tick.Stop()
	for {
		select {
		case <-s.closing:
			return
		case <-tick.C:
		}
		if s.raft.State() == hraft.Leader {
			s.addMissing()
		}
	}
}

func (s *Store) addMissing() {
	future := s.raft.GetConfiguration()
	if future.Error() != nil {
		return
	}
	known := map[hraft.Server]bool{}
	for _, server := range future.Configuration().Servers {
		known[hraft.Server{ID: server.ID, Address: server.Address}] = true
	}
	for _, p := range s.cfg.Peers {
		server := hraft.Server{ID: hraft.ServerID(p.ID), Address: hraft.ServerAddress(p.Address)}
		if known[server] {
			continue
		}
		if err := s.raft.AddVoter(server.ID, server.Address, future.Index(), joinTimeout).Error(); err != nil {
			s.log.Info("a master could not be added to the registry's group", "member", p.ID, "reason", err.Error())
		} else {
			s.log.Info("added a master to the registry's group", "member", p.ID, "address", p.Address)
		}
		return // the next change starts from the group as it is then
	}
}
