package raft

import (
	"encoding/binary"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/masterd/registry/op"
)

// errEntry is wrapped by every error about bytes in the log or in a snapshot.
var errEntry = errors.New("malformed raft entry")

// The first byte of an entry says what it is. Never reuse or renumber one: a
// member must be able to read the log of an older version.
const (
	// kindLead: a member takes the lead.
	//
	//	uvarint length, member ID, mesos.v1.MasterInfo
	kindLead byte = 1
	// kindApply: operations of the leader whose term began at an index.
	//
	//	uvarint index, op.Append
	kindApply byte = 2
)

type leadEntry struct {
	member string
	master *mesos.MasterInfo
}

type applyEntry struct {
	term uint64
	ops  []op.Operation
}

func (e leadEntry) encode() ([]byte, error) {
	b := appendText([]byte{kindLead}, e.member)
	b, err := proto.MarshalOptions{Deterministic: true}.MarshalAppend(b, e.master)
	if err != nil {
		return nil, fmt.Errorf("encoding the leader: %w", err)
	}
	return b, nil
}

func (e applyEntry) encode() ([]byte, error) {
	return op.Append(binary.AppendUvarint([]byte{kindApply}, e.term), e.ops)
}

// decodeEntry returns a leadEntry or an applyEntry.
func decodeEntry(data []byte) (any, error) {
	if len(data) == 0 {
		return nil, fmt.Errorf("%w: empty", errEntry)
	}
	switch body := data[1:]; data[0] {
	case kindLead:
		return decodeLead(body)
	case kindApply:
		return decodeApply(body)
	}
	return nil, fmt.Errorf("%w: kind %d is not known to this version", errEntry, data[0])
}

func decodeLead(body []byte) (any, error) {
	member, rest, err := readText(body)
	if err != nil {
		return nil, err
	}
	e := leadEntry{member: member, master: &mesos.MasterInfo{}}
	if err := proto.Unmarshal(rest, e.master); err != nil {
		return nil, fmt.Errorf("%w: leader: %w", errEntry, err)
	}
	return e, nil
}

func decodeApply(body []byte) (any, error) {
	term, rest, err := readUvarint(body)
	if err != nil {
		return nil, err
	}
	ops, err := op.Unmarshal(rest)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errEntry, err)
	}
	return applyEntry{term: term, ops: ops}, nil
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func readText(b []byte) (string, []byte, error) {
	size, rest, err := readUvarint(b)
	if err != nil {
		return "", nil, err
	}
	if size > uint64(len(rest)) {
		return "", nil, fmt.Errorf("%w: ends early", errEntry)
	}
	return string(rest[:size]), rest[size:], nil
}

func readUvarint(b []byte) (uint64, []byte, error) {
	v, n := binary.Uvarint(b)
	if n <= 0 {
		return 0, nil, fmt.Errorf("%w: ends early", errEntry)
	}
	return v, b[n:], nil
}
