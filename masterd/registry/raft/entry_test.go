package raft

import (
	"errors"
	"io"
	"testing"

	hraft "github.com/hashicorp/raft"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/masterd/registry/op"
)

func FuzzDecodeEntry(f *testing.F) {
	lead, err := leadEntry{member: "m0", master: &mesos.MasterInfo{
		Id: new("a"), Ip: new(uint32(1)), Port: new(uint32(5050))}}.encode()
	if err != nil {
		f.Fatal(err)
	}
	apply, err := applyEntry{term: 300, ops: []op.Operation{
		op.RemoveAgent{ID: &mesos.AgentID{Value: new("1")}}}}.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(lead)
	f.Add(apply)
	f.Add([]byte{kindLead, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := decodeEntry(data)
		if (err == nil) == (e == nil) {
			t.Fatalf("entry %v with error %v", e, err)
		}
		if err != nil && !errors.Is(err, errEntry) {
			t.Errorf("error %v", err)
		}
	})
}

func FuzzDecodeSnapshot(f *testing.F) {
	f.Add([]byte{snapshotVersion, 7, 2, 'm', '0'})
	f.Fuzz(func(t *testing.T, data []byte) {
		if s, err := decodeSnapshot(data); (err == nil) == (s == nil) {
			t.Fatalf("snapshot %v with error %v", s, err)
		}
	})
}

// sink keeps what is written to it.
type sink struct {
	hraft.SnapshotSink
	data []byte
}

func (s *sink) Write(p []byte) (int, error) { s.data = append(s.data, p...); return len(p), nil }
func (s *sink) Close() error                { return nil }

func (s *sink) Read(p []byte) (int, error) {
	n := copy(p, s.data)
	if s.data = s.data[n:]; n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

func TestSnapshotKeepsTheTerm(t *testing.T) {
	lead, err := leadEntry{member: "m0", master: &mesos.MasterInfo{
		Id: new("a"), Ip: new(uint32(1)), Port: new(uint32(5050))}}.encode()
	if err != nil {
		t.Fatal(err)
	}
	from, to := newFSM(), newFSM()
	from.Apply(&hraft.Log{Index: 7, Data: lead})
	snap, err := from.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	var s sink
	if err := snap.Persist(&s); err != nil {
		t.Fatal(err)
	}
	if err := to.Restore(&s); err != nil {
		t.Fatal(err)
	}
	if member, info := to.leader(); member != "m0" || info.GetId() != "a" || to.term != 7 {
		t.Errorf("restored member %q, master %q, term %d", member, info.GetId(), to.term)
	}
}
