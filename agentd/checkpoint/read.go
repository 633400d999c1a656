package checkpoint

import (
	"fmt"
	"os"

	"google.golang.org/protobuf/proto"
)

func unexpected(rec record) error {
	return fmt.Errorf("%w: unexpected record %q", ErrCorrupt, byte(rec.kind))
}

func decode(rec record, want kind, m proto.Message) error {
	if rec.kind != want {
		return unexpected(rec)
	}
	if err := proto.Unmarshal(rec.payload, m); err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return nil
}

func readWhole(path string) ([]record, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	records, err := parseWhole(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return records, nil
}

// readOne reads a file of one message.
func readOne(path string, k kind, m proto.Message) error {
	records, err := readWhole(path)
	if err != nil {
		return err
	}
	if len(records) != 1 {
		return fmt.Errorf("%s: %w: %d records", path, ErrCorrupt, len(records))
	}
	return decode(records[0], k, m)
}
