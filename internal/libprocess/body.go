package libprocess

import (
	"fmt"
	"io"
	"slices"
	"sync/atomic"
)

// bodyStep is how much memory a body takes ahead of the bytes that came: what
// a sender merely announces costs nothing.
const bodyStep = 64 << 10

// body is a message body that is being received. It counts itself in total,
// the sum over the node.
type body struct {
	bytes    []byte
	limit    int
	total    *atomic.Int64
	maxTotal int64
	counted  int64
}

// announce says that n more bytes are to come.
func (b *body) announce(n int64) error {
	if n > int64(b.limit-len(b.bytes)) {
		return fmt.Errorf("%w: body of more than %d bytes", ErrTooLarge, b.limit)
	}
	return b.reserve(int(min(n, bodyStep)))
}

// reserve makes room for n more bytes.
func (b *body) reserve(n int) error {
	before := cap(b.bytes)
	b.bytes = slices.Grow(b.bytes, n)
	more := int64(cap(b.bytes) - before)
	b.counted += more
	if b.total.Add(more) > b.maxTotal {
		return fmt.Errorf("%w: all bodies being received are more than %d bytes", ErrTooLarge, b.maxTotal)
	}
	return nil
}

func (b *body) append(p []byte) error {
	if err := b.reserve(len(p)); err != nil {
		return err
	}
	b.bytes = append(b.bytes, p...)
	return nil
}

// readFrom reads n bytes into place, without a copy.
func (b *body) readFrom(src io.Reader, n int64) error {
	for n > 0 {
		step := int(min(n, int64(max(bodyStep, len(b.bytes)))))
		if err := b.reserve(step); err != nil {
			return err
		}
		at := len(b.bytes)
		got, err := io.ReadAtLeast(src, b.bytes[at:at+step], 1)
		if err != nil {
			return unexpected(err)
		}
		b.bytes = b.bytes[:at+got]
		n -= int64(got)
	}
	return nil
}

// release takes the body out of the sum: it is received, or given up.
func (b *body) release() { b.total.Add(-b.counted) }
