package raft

import (
	"errors"
	"fmt"

	hraft "github.com/hashicorp/raft"

	registrypb "github.com/mesos-operator/mesos-operator/api/mesos/messages/registry"
	"github.com/mesos-operator/mesos-operator/masterd/registry"
)

// ErrNotEmpty says that there is a registry where one was to be put.
var ErrNotEmpty = errors.New("there is a registry already")

// ErrEmpty says that there is no registry.
var ErrEmpty = errors.New("there is no registry")

// Export reads the registry of a member that doesn't run. Of a group, take the
// member with the longest log, or ask the leader while it runs: the last entries
// of a member that was cut off may be ones that the group never agreed on.
func Export(cfg Config) (*registrypb.Registry, error) {
	s, err := openOffline(cfg)
	if err != nil {
		return nil, err
	}
	r, err := s.replay()
	return r, errors.Join(err, s.close())
}

// Import makes a new directory with a registry, as the one of the first member
// of a new group: the other members start with empty directories and get it
// from this one.
func Import(cfg Config, r *registrypb.Registry) error {
	s, err := openOffline(cfg)
	if err != nil {
		return err
	}
	return errors.Join(s.plant(cfg, r), s.close())
}

// openOffline opens a directory without talking to anybody.
func openOffline(cfg Config) (*storage, error) {
	cfg.Peers, cfg.Reload, cfg.TLS = nil, nil, nil
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("raft settings: %w", err)
	}
	return openStorage(cfg.withDefaults())
}

// replay makes the registry of the last snapshot and the log behind it.
func (s *storage) replay() (*registrypb.Registry, error) {
	exists, err := hraft.HasExistingState(s.logs, s.disk, s.snapshots)
	if err != nil {
		return nil, fmt.Errorf("reading the registry: %w", err)
	}
	if !exists {
		return nil, ErrEmpty
	}
	f := newFSM()
	from, err := s.restoreLast(f)
	if err != nil {
		return nil, err
	}
	last, err := s.logs.LastIndex()
	if err != nil {
		return nil, fmt.Errorf("reading the registry's log: %w", err)
	}
	for index := from + 1; index <= last; index++ {
		var entry hraft.Log
		if err := s.logs.GetLog(index, &entry); err != nil {
			return nil, fmt.Errorf("reading entry %d of the registry's log: %w", index, err)
		}
		if entry.Type == hraft.LogCommand {
			f.Apply(&entry)
		}
	}
	return f.registry(), nil
}

// restoreLast restores the latest snapshot that can be read, as raft does, and
// returns its index.
func (s *storage) restoreLast(f *fsm) (uint64, error) {
	list, err := s.snapshots.List()
	if err != nil {
		return 0, fmt.Errorf("listing the registry's snapshots: %w", err)
	}
	var errs []error
	for _, meta := range list {
		_, source, err := s.snapshots.Open(meta.ID)
		if err == nil {
			err = errors.Join(f.Restore(source), source.Close())
		}
		if err == nil {
			return meta.Index, nil
		}
		errs = append(errs, err)
	}
	return 0, errors.Join(errs...)
}

// plantedIndex is that of the snapshot of an imported registry: one behind the
// entry that begins a group, so that a member without anything needs the
// snapshot.
const plantedIndex = 2

func (s *storage) plant(cfg Config, r *registrypb.Registry) error {
	cfg = cfg.withDefaults()
	exists, err := hraft.HasExistingState(s.logs, s.disk, s.snapshots)
	if err != nil {
		return fmt.Errorf("reading the registry: %w", err)
	}
	if exists {
		return fmt.Errorf("%w in %s", ErrNotEmpty, cfg.Dir)
	}
	hc := cfg.raft()
	hc.LocalID = hraft.ServerID(cfg.ID)
	if cfg.ID == "" {
		hc.LocalID = soleMember
	}
	group := hraft.Configuration{Servers: []hraft.Server{{ID: hc.LocalID, Address: s.transport.LocalAddr()}}}
	if err := hraft.BootstrapCluster(hc, s.logs, s.disk, s.snapshots, s.transport, group); err != nil {
		return fmt.Errorf("bootstrapping the raft group: %w", err)
	}
	const firstTerm, firstIndex = 1, 1 // of the entry that was just made
	sink, err := s.snapshots.Create(hraft.SnapshotVersionMax, plantedIndex, firstTerm, group, firstIndex, s.transport)
	if err != nil {
		return fmt.Errorf("writing the registry's snapshot: %w", err)
	}
	// Its leader is of another group, or none of ours.
	r = registry.NewState(r).Snapshot()
	r.Master = nil
	if err := (&snapshot{registry: r}).Persist(sink); err != nil {
		return err
	}
	if err := s.logs.DeleteRange(firstIndex, firstIndex); err != nil {
		return fmt.Errorf("shortening the registry's log: %w", err)
	}
	return nil
}
