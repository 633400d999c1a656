package checkpoint

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
)

// kind says what the payload of a record is.
type kind byte

const (
	kindEnd             kind = 'E' // nothing: the file is complete
	kindAgent           kind = 'A' // mesos.v1.AgentInfo
	kindDrain           kind = 'D' // mesos.v1.DrainConfig
	kindFramework       kind = 'F' // mesos.v1.FrameworkInfo
	kindPID             kind = 'P' // text
	kindExecutor        kind = 'X' // mesos.v1.ExecutorInfo
	kindGenerated       kind = 'G' // nothing: the agent made the executor
	kindTask            kind = 'T' // mesos.v1.Task
	kindUpdate          kind = 'U' // mesos.internal.StatusUpdate
	kindAcknowledgement kind = 'K' // UUID of the update
	kindResource        kind = 'R' // mesos.v1.Resource
	kindOperation       kind = 'O' // mesos.v1.Operation
	kindProvider        kind = 'V' // mesos.v1.ResourceProviderInfo
	kindGoneProvider    kind = 'W' // likewise: marked gone
)

// version is that of the schema, and the fourth byte of every file.
const version = 1

var header = []byte{'m', 'c', 'k', version}

// frameHead is the size of what stands before a payload.
const frameHead = 4 + 4 + 1

// maxPayload bounds what a length may claim.
const maxPayload = 256 << 20

// Errors about the contents of files.
var (
	// ErrCorrupt: a file is not what was written.
	ErrCorrupt = errors.New("corrupt checkpoint")
	// errTorn: a file ends within a record, as an append does that a crash kept
	// from its end.
	errTorn = fmt.Errorf("%w: torn", ErrCorrupt)
	// ErrVersion: a file was written by another version of the schema.
	ErrVersion = errors.New("unknown version of checkpoint")
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendFrame adds a record: little-endian length of the payload, CRC-32C of
// kind and payload, kind, payload.
func appendFrame(b []byte, k kind, payload []byte) []byte {
	sum := crc32.Update(crc32.Checksum([]byte{byte(k)}, castagnoli), castagnoli, payload)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(payload)))
	b = binary.LittleEndian.AppendUint32(b, sum)
	b = append(b, byte(k))
	return append(b, payload...)
}

// record is one that was read.
type record struct {
	kind    kind
	payload []byte
}

// parse reads the records of a file. With an error it returns those before it,
// and good is how many bytes of the file they take, header included.
func parse(data []byte) (records []record, good int, err error) {
	if len(data) < len(header) && strings.HasPrefix(string(header), string(data)) || isZero(data) {
		return nil, 0, errTorn
	}
	if len(data) < len(header) || string(data[:3]) != string(header[:3]) {
		return nil, 0, fmt.Errorf("%w: no header", ErrCorrupt)
	}
	if data[3] != version {
		return nil, 0, fmt.Errorf("%w: %d", ErrVersion, data[3])
	}
	for good = len(header); good < len(data); {
		r, size, err := parseFrame(data[good:])
		if err != nil {
			return records, good, fmt.Errorf("%w at byte %d: %w", kindOfDamage(data[good:]), good, err)
		}
		records = append(records, r)
		good += size
	}
	return records, good, nil
}

// kindOfDamage tells what a crash leaves of the last append, part of it or space
// that was never filled, from what a crash does not.
func kindOfDamage(rest []byte) error {
	if len(rest) < frameHead || isZero(rest) {
		return errTorn
	}
	if end := frameHead + uint64(binary.LittleEndian.Uint32(rest)); end >= uint64(len(rest)) {
		return errTorn
	}
	return ErrCorrupt
}

func isZero(b []byte) bool { return len(bytes.Trim(b, "\x00")) == 0 }

func parseFrame(data []byte) (record, int, error) {
	if len(data) < frameHead {
		return record{}, 0, errors.New("truncated record")
	}
	n := binary.LittleEndian.Uint32(data)
	if n > maxPayload || int(n) > len(data)-frameHead {
		return record{}, 0, fmt.Errorf("truncated record of %d bytes", n)
	}
	body := data[8 : frameHead+int(n)] // kind and payload
	if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(data[4:]) {
		return record{}, 0, errors.New("checksum differs")
	}
	return record{kind: kind(body[0]), payload: body[1:]}, frameHead + int(n), nil
}

// parseWhole is parse for files that are written as a whole: it takes off the End.
func parseWhole(data []byte) ([]record, error) {
	records, _, err := parse(data)
	if errors.Is(err, errTorn) && len(data) > 0 { // it was whole before it got its name
		return nil, fmt.Errorf("%w: incomplete", ErrCorrupt)
	}
	if err != nil {
		return nil, err
	}
	if len(records) == 0 || records[len(records)-1].kind != kindEnd {
		return nil, fmt.Errorf("%w: incomplete", ErrCorrupt)
	}
	return records[:len(records)-1], nil
}
