package raft

import (
	"sync"
	"time"

	hraft "github.com/hashicorp/raft"
)

// fullStore is what raft keeps on a disk but for snapshots: BoltDB.
type fullStore interface {
	hraft.LogStore
	hraft.StableStore
}

// disk is a store that knows for how long it has been writing, so that a member
// whose disk hangs can tell.
type disk struct {
	fullStore
	limit time.Duration

	mu     sync.Mutex
	writes map[*time.Time]struct{} // when those under way began
}

func newDisk(store fullStore, limit time.Duration) *disk {
	return &disk{fullStore: store, limit: limit, writes: map[*time.Time]struct{}{}}
}

// stalled says whether a write has been under way for longer than the limit.
func (d *disk) stalled() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for began := range d.writes {
		if time.Since(*began) > d.limit {
			return true
		}
	}
	return false
}

func (d *disk) write(f func() error) error {
	began := new(time.Now())
	d.mu.Lock()
	d.writes[began] = struct{}{}
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.writes, began)
	}()
	return f()
}

// StoreLog implements hraft.LogStore.
func (d *disk) StoreLog(log *hraft.Log) error {
	return d.write(func() error { return d.fullStore.StoreLog(log) })
}

// StoreLogs implements hraft.LogStore.
func (d *disk) StoreLogs(logs []*hraft.Log) error {
	return d.write(func() error { return d.fullStore.StoreLogs(logs) })
}

// DeleteRange implements hraft.LogStore.
func (d *disk) DeleteRange(from, to uint64) error {
	return d.write(func() error { return d.fullStore.DeleteRange(from, to) })
}

// Set implements hraft.StableStore.
func (d *disk) Set(key, value []byte) error {
	return d.write(func() error { return d.fullStore.Set(key, value) })
}

// SetUint64 implements hraft.StableStore.
func (d *disk) SetUint64(key []byte, value uint64) error {
	return d.write(func() error { return d.fullStore.SetUint64(key, value) })
}
