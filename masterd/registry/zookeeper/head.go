package zookeeper

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"

	"google.golang.org/protobuf/proto"

	registrypb "github.com/mesos-operator/mesos-operator/api/mesos/messages/registry"
	"github.com/mesos-operator/mesos-operator/masterd/registry"
	"github.com/mesos-operator/mesos-operator/masterd/registry/op"
)

// format is that of the head and of what it names. A member refuses another.
const format = 1

// ErrDamaged says that what is in ZooKeeper is no registry that this version
// can read.
var ErrDamaged = errors.New("the registry in ZooKeeper is damaged or of another version")

// head is the node that says what the registry is.
type head struct {
	Format int `json:"format"`
	// Number is that of the snapshot, and Name tells it from others' attempts
	// at that number.
	Number   uint64 `json:"number"`
	Name     string `json:"name"`
	Snapshot extent `json:"snapshot"`
	Log      extent `json:"log"`
	// Mark is random, so that the author of a head knows it again.
	Mark string `json:"mark"`
}

// extent are bytes in several nodes.
type extent struct {
	Parts int    `json:"parts"`
	Bytes int    `json:"bytes"`
	CRC32 uint32 `json:"crc32"`
}

// with is the extent with more bytes in more parts behind it.
func (e extent) with(data []byte, parts int) extent {
	return extent{Parts: e.Parts + parts, Bytes: e.Bytes + len(data), CRC32: crc32.Update(e.CRC32, crc32.IEEETable, data)}
}

func (e extent) check(data []byte, what string) error {
	if len(data) != e.Bytes || crc32.ChecksumIEEE(data) != e.CRC32 {
		return fmt.Errorf("%w: %s has %d bytes, or others than the %d that were written", ErrDamaged, what, len(data), e.Bytes)
	}
	return nil
}

func (h head) encode() ([]byte, error) {
	data, err := json.Marshal(h)
	if err != nil {
		return nil, fmt.Errorf("encoding the registry's head: %w", err)
	}
	return data, nil
}

func decodeHead(data []byte) (head, error) {
	var h head
	if len(data) == 0 { // the node was made, nothing was written yet
		return head{Format: format}, nil
	}
	if err := json.Unmarshal(data, &h); err != nil {
		return h, fmt.Errorf("%w: head: %w", ErrDamaged, err)
	}
	if h.Format != format || h.Snapshot.Parts < 0 || h.Log.Parts < 0 {
		return h, fmt.Errorf("%w: head of format %d", ErrDamaged, h.Format)
	}
	return h, nil
}

func (h head) snapshotNode(i int) string { return fmt.Sprintf("%d-%s-s-%d", h.Number, h.Name, i) }

func (h head) logNode(i int) string { return fmt.Sprintf("%d-%s-l-%d", h.Number, h.Name, i) }

// names are the nodes that the head names.
func (h head) names() map[string]bool {
	names := make(map[string]bool, h.Snapshot.Parts+h.Log.Parts)
	for i := range h.Snapshot.Parts {
		names[h.snapshotNode(i)] = true
	}
	for i := range h.Log.Parts {
		names[h.logNode(i)] = true
	}
	return names
}

// appendBatch adds the operations of one write to a log: their length and
// themselves.
func appendBatch(b []byte, ops []op.Operation) ([]byte, error) {
	data, err := op.Append(nil, ops)
	if err != nil {
		return nil, err
	}
	return append(binary.AppendUvarint(b, uint64(len(data))), data...), nil
}

// restore makes the registry of a snapshot and a log.
func restore(snapshot, log []byte) (*registry.State, error) {
	r := &registrypb.Registry{}
	if err := proto.Unmarshal(snapshot, r); err != nil {
		return nil, fmt.Errorf("%w: snapshot: %w", ErrDamaged, err)
	}
	state := registry.NewState(r)
	for len(log) > 0 {
		size, n := binary.Uvarint(log)
		if n <= 0 || size > uint64(len(log)-n) {
			return nil, fmt.Errorf("%w: log ends early", ErrDamaged)
		}
		ops, err := op.Unmarshal(log[n : n+int(size)])
		if err != nil {
			return nil, fmt.Errorf("%w: log: %w", ErrDamaged, err)
		}
		state.Apply(ops)
		log = log[n+int(size):]
	}
	return state, nil
}
