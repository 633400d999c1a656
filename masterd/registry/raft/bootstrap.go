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
	group := groupOf(cfg, s.transport.LocalAddr())
	hc.LocalID = group.Servers[0].ID
	if self, ok := cfg.self(); ok {
		hc.LocalID = hraft.ServerID(self.ID)
	}
	switch {
	case !exists:
		if err := hraft.BootstrapCluster(hc, s.logs, s.bolt, s.snapshots, s.transport, group); err != nil {
			return fmt.Errorf("bootstrapping the raft group: %w", err)
		}
		return nil
	case len(cfg.Peers) == 0:
		return s.rejoinAlone(hc)
	}
	return nil
}

func groupOf(cfg Config, local hraft.ServerAddress) hraft.Configuration {
	if len(cfg.Peers) == 0 {
		id := cfg.Advertise
		if id == "" {
			id = soleMember
		}
		return hraft.Configuration{Servers: []hraft.Server{{ID: hraft.ServerID(id), Address: local}}}
	}
	var group hraft.Configuration
	for _, p := range cfg.Peers {
		group.Servers = append(group.Servers, hraft.Server{
			ID: hraft.ServerID(p.ID), Address: hraft.ServerAddress(p.Address),
		})
	}
	return group
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
