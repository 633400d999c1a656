package raft

import (
	"fmt"

	hraft "github.com/hashicorp/raft"
)

// soleMember is the ID of a member that has neither peers nor an address.
const soleMember = "sole"

// join prepares the first start of a group, or finds out who this member is in
// the group of an earlier start.
func (s *storage) join(cfg Config, hc *hraft.Config) error {
	exists, err := hraft.HasExistingState(s.logs, s.bolt, s.snapshots)
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
	}
	group := hraft.Configuration{Servers: []hraft.Server{{ID: hc.LocalID, Address: s.transport.LocalAddr()}}}
	if err := hraft.BootstrapCluster(hc, s.logs, s.bolt, s.snapshots, s.transport, group); err != nil {
		return fmt.Errorf("bootstrapping the raft group: %w", err)
	}
	return nil
}

// rejoinAlone keeps a group of one alive when its address changes: it has the
// only vote, whatever it was called. A larger group is not made smaller by a
// flag that is missing.
func (s *storage) rejoinAlone(hc *hraft.Config) error {
	probe := *hc
	group, err := hraft.GetConfiguration(&probe, newFSM(), s.logs, s.bolt, s.snapshots, s.transport)
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
	err = hraft.RecoverCluster(hc, newFSM(), s.logs, s.bolt, s.snapshots, s.transport, group)
	if err != nil {
		return fmt.Errorf("changing the address of the only raft member: %w", err)
	}
	return nil
}
