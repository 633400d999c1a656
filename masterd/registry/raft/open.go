package raft

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	hraft "github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	"go.etcd.io/bbolt"
)

const (
	// keptSnapshots is one more than needed, in case a disk damages the last.
	keptSnapshots = 2
	// logCache is how many recent entries are kept in memory for followers.
	logCache = 32
	// lockTimeout is how long another process may hold the directory, which
	// it does while it shuts down.
	lockTimeout = 10 * time.Second
)

// storage is what a member keeps on disk and how it reaches the others.
type storage struct {
	disk      *disk
	logs      hraft.LogStore
	snapshots hraft.SnapshotStore
	transport hraft.Transport
	link      *link // the transport, if there are peers
	closers   []func() error
}

func openStorage(cfg Config) (s *storage, err error) {
	s = &storage{}
	defer func() {
		if err != nil {
			_ = s.close() // the first error tells what happened
		}
	}()
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the registry's directory: %w", err)
	}
	path := filepath.Join(cfg.Dir, "raft.db")
	bolt, err := raftboltdb.New(raftboltdb.Options{
		Path:                    path,
		BoltOptions:             &bbolt.Options{Timeout: lockTimeout, FreelistType: bbolt.FreelistMapType},
		MsgpackUseNewTimeFormat: true,
	})
	if err != nil {
		return nil, fmt.Errorf("opening %s (does another masterd use it?): %w", path, err)
	}
	s.closers = append(s.closers, bolt.Close)
	s.disk = newDisk(cfg.store(bolt), cfg.DiskTimeout)
	if err := syncDir(cfg.Dir); err != nil {
		return nil, err
	}
	if s.logs, err = hraft.NewLogCache(logCache, s.disk); err != nil {
		return nil, fmt.Errorf("opening the registry's log: %w", err)
	}
	s.snapshots, err = hraft.NewFileSnapshotStoreWithLogger(cfg.Dir, keptSnapshots, newLogger(cfg.Log))
	if err != nil {
		return nil, fmt.Errorf("opening the registry's snapshots: %w", err)
	}
	return s, s.openTransport(cfg)
}

func (s *storage) openTransport(cfg Config) error {
	if len(cfg.Peers) == 0 { // nobody to talk to: no port that others could talk to
		_, s.transport = hraft.NewInmemTransport(hraft.ServerAddress(cfg.Address))
		return nil
	}
	stream, err := listen(cfg)
	if err != nil {
		return err
	}
	network := hraft.NewNetworkTransportWithConfig(&hraft.NetworkTransportConfig{
		Stream:                  stream,
		MaxPool:                 maxPooledConnections,
		Timeout:                 transportTimeout,
		Logger:                  newLogger(cfg.Log),
		MsgpackUseNewTimeFormat: true,
	})
	s.link = newLink(network, s.disk.stalled)
	s.transport = s.link
	s.closers = append(s.closers, network.Close)
	return nil
}

func (s *storage) close() error {
	var errs []error
	for _, c := range s.closers {
		errs = append(errs, c())
	}
	return errors.Join(errs...)
}

// syncDir makes a new file's name survive a loss of power.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("opening the registry's directory: %w", err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("syncing the registry's directory: %w", err)
	}
	return nil
}
