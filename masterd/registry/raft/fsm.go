package raft

import (
	"encoding/binary"
	"fmt"
	"io"
	"sync"

	hraft "github.com/hashicorp/raft"
	"google.golang.org/protobuf/proto"

	registrypb "github.com/mesos-operator/mesos-operator/api/mesos/messages/registry"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/masterd/registry"
	"github.com/mesos-operator/mesos-operator/masterd/registry/op"
)

// fsm is the registry as far as the log is committed and applied. raft calls
// it from one goroutine at a time; the lock is for readers.
type fsm struct {
	mu     sync.Mutex
	state  *registry.State
	term   uint64 // index of the last leadEntry: the term that may write
	member string // who it is from
	bytes  int64  // applied since the last snapshot
}

var _ hraft.FSM = (*fsm)(nil)

func newFSM() *fsm { return &fsm{state: registry.NewState(nil)} }

// applied is what raft hands to the author of an entry.
type applied struct {
	registry *registrypb.Registry // of a leadEntry
	results  []op.Result          // of an applyEntry
	err      error
}

// Apply implements hraft.FSM. An entry that can't be read would leave this
// member with another registry than the others: there is no way on, and raft
// has none either but a panic.
func (f *fsm) Apply(l *hraft.Log) any {
	e, err := decodeEntry(l.Data)
	if err != nil {
		panic(fmt.Sprintf("raft entry %d, written by a newer version or damaged: %v", l.Index, err))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.bytes += int64(len(l.Data))
	switch e := e.(type) {
	case leadEntry:
		f.state.SetMaster(e.master)
		f.term, f.member = l.Index, e.member
		return applied{registry: f.state.Snapshot()}
	case applyEntry:
		if e.term != f.term {
			return applied{err: fmt.Errorf("%w: %s took the lead meanwhile", registry.ErrNotLeader, f.member)}
		}
		return applied{results: f.state.Apply(e.ops)}
	}
	return nil
}

// leader returns the member that took the lead last, and what it said of
// itself.
func (f *fsm) leader() (member string, info *mesos.MasterInfo) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.member, f.state.Snapshot().GetMaster().GetInfo()
}

func (f *fsm) registry() *registrypb.Registry {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state.Snapshot()
}

// grown says, once, that enough was applied to be worth a snapshot.
func (f *fsm) grown(limit int64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.bytes < limit {
		return false
	}
	f.bytes = 0
	return true
}

// snapshotVersion is the first byte of a snapshot, which goes on with
//
//	uvarint term, uvarint length, member ID, mesos.internal.Registry
const snapshotVersion byte = 1

// snapshot is the registry at one index of the log. Encoding it happens beside
// further entries.
type snapshot struct {
	term     uint64
	member   string
	registry *registrypb.Registry
}

// Snapshot implements hraft.FSM.
func (f *fsm) Snapshot() (hraft.FSMSnapshot, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.bytes = 0
	return &snapshot{term: f.term, member: f.member, registry: f.state.Snapshot()}, nil
}

// Persist implements hraft.FSMSnapshot.
func (s *snapshot) Persist(sink hraft.SnapshotSink) error {
	b := appendText(binary.AppendUvarint([]byte{snapshotVersion}, s.term), s.member)
	b, err := proto.MarshalOptions{}.MarshalAppend(b, s.registry)
	if err == nil {
		_, err = sink.Write(b)
	}
	if err != nil {
		_ = sink.Cancel() // the first error tells what happened
		return fmt.Errorf("writing the registry's snapshot: %w", err)
	}
	return sink.Close()
}

// Release implements hraft.FSMSnapshot.
func (*snapshot) Release() {}

// Restore implements hraft.FSM.
func (f *fsm) Restore(r io.ReadCloser) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return fmt.Errorf("reading the registry's snapshot: %w", err)
	}
	s, err := decodeSnapshot(data)
	if err != nil {
		return fmt.Errorf("reading the registry's snapshot: %w", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.state, f.term, f.member, f.bytes = registry.NewState(s.registry), s.term, s.member, 0
	return nil
}

func decodeSnapshot(data []byte) (*snapshot, error) {
	if len(data) == 0 || data[0] != snapshotVersion {
		return nil, fmt.Errorf("%w: not a snapshot of this version", errEntry)
	}
	term, rest, err := readUvarint(data[1:])
	if err != nil {
		return nil, err
	}
	member, rest, err := readText(rest)
	if err != nil {
		return nil, err
	}
	s := &snapshot{term: term, member: member, registry: &registrypb.Registry{}}
	if err := proto.Unmarshal(rest, s.registry); err != nil {
		return nil, fmt.Errorf("%w: registry: %w", errEntry, err)
	}
	return s, nil
}
