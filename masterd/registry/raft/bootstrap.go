package raft

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	hraft "github.com/hashicorp/raft"
)

// soleMember is the ID of a member that has neither peers nor an address.
const soleMember = "sole"

// askTimeout bounds the question to another peer whether it has a registry. At
// the first start of a group nobody answers.
const askTimeout = 2 * time.Second

// join prepares the first start of a group, or finds out who this member is in
// the group of an earlier start.
func (s *storage) join(cfg Config, hc *hraft.Config) error {
	exists, err := hraft.HasExistingState(s.logs, s.disk, s.snapshots)
	if err != nil {
		return fmt.Errorf("reading the registry: %w", err)
	}
	hc.LocalID = hraft.ServerID(cfg.ID)
	if cfg.ID == "" {
		hc.LocalID = soleMember
	}
	switch {
	case len(cfg.Peers) == 0 && exists:
		return s.rejoinAlone(hc)
	case exists || len(cfg.Peers) > 0 && cfg.Peers[0].ID != cfg.ID:
		return nil
	case s.othersLive(cfg):
		cfg.Log.Info("the other masters have a registry already: waiting to be added to their group", "member", cfg.ID)
		return nil
	}
	group := hraft.Configuration{Servers: []hraft.Server{{ID: hc.LocalID, Address: s.transport.LocalAddr()}}}
	if err := hraft.BootstrapCluster(hc, s.logs, s.disk, s.snapshots, s.transport, group); err != nil {
		return fmt.Errorf("bootstrapping the raft group: %w", err)
	}
	return nil
}

// rejoinAlone keeps a group of one alive when its address changes: it has the
// only vote, whatever it was called. A larger group is not made smaller by a
// flag that is missing.
func (s *storage) rejoinAlone(hc *hraft.Config) error {
	probe := *hc
	group, err := hraft.GetConfiguration(&probe, newFSM(), s.logs, s.disk, s.snapshots, s.transport)
	if err != nil {
		return fmt.Errorf("reading the raft group: %w", err)
	}
	if len(group.Servers) != 1 {
		return fmt.Errorf("the registry belongs to a group of %d masters: --raft_peers must name them",
			len(group.Servers))
	}
	hc.LocalID = group.Servers[0].ID
	if group.Servers[0].Address == s.transport.LocalAddr() {
		return nil
	}
	group.Servers[0].Address = s.transport.LocalAddr()
	err = hraft.RecoverCluster(hc, newFSM(), s.logs, s.disk, s.snapshots, s.transport, group)
	if err != nil {
		return fmt.Errorf("changing the address of the only raft member: %w", err)
	}
	return nil
}

// othersLive says whether one of the peers is a member of a group. The first
// of the peers that lost its directory must not begin another group beside
// the one that it was in.
func (s *storage) othersLive(cfg Config) bool {
	var asked sync.WaitGroup
	var live atomic.Bool
	for _, p := range cfg.Peers {
		if p.ID == cfg.ID {
			continue
		}
		asked.Go(func() {
			if s.inGroup(cfg, p) {
				live.Store(true)
			}
		})
	}
	asked.Wait()
	return live.Load()
}

// inGroup asks a peer for its vote in a raft term that is long over. It refuses,
// and names its own term, which is 0 if it never heard of a group.
func (s *storage) inGroup(cfg Config, p Peer) bool {
	request := &hraft.RequestVoteRequest{RPCHeader: hraft.RPCHeader{
		ProtocolVersion: hraft.ProtocolVersionMax, ID: []byte(cfg.ID), Addr: []byte(cfg.Address),
	}}
	answer := &hraft.RequestVoteResponse{}
	err := bounded(askTimeout, func() error {
		return s.transport.RequestVote(hraft.ServerID(p.ID), hraft.ServerAddress(p.Address), request, answer)
	})
	return err == nil && answer.Term > 0
}
