package libprocess

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
)

// reader reads requests from a connection. While it waits for one it holds only
// the small buffer, which most pings fit into: a master has tens of thousands of
// connections that are silent most of the time.
type reader struct {
	src   io.Reader
	limit int       // of a header block
	small [512]byte // where every wait begins
	large *[]byte   // from largeBuffers, or grown; nil while small is enough
	r, w  int       // what is unread in buffer()
	begun bool      // some of a request was read and not all of it
}

// largeBuffers lends buffers to readers for as long as requests pour in.
var largeBuffers = sync.Pool{New: func() any { return new(make([]byte, 16<<10)) }}

// errNotMessage: what follows on the connection is for the HTTP server.
var errNotMessage = errors.New("not a libprocess message")

func (r *reader) buffer() []byte {
	if r.large != nil {
		return *r.large
	}
	return r.small[:]
}

func (r *reader) unread() []byte { return r.buffer()[r.r:r.w] }

func (r *reader) skip(n int) { r.r += n }

// rest gives up the reader and returns what is unread.
func (r *reader) rest() []byte {
	rest := bytes.Clone(r.unread())
	r.r, r.w = 0, 0
	r.release()
	return rest
}

// release gives the large buffer back, if nothing is unread.
func (r *reader) release() {
	if r.r != r.w {
		return
	}
	r.r, r.w = 0, 0
	if r.large != nil && len(*r.large) == 16<<10 {
		largeBuffers.Put(r.large)
	}
	r.large = nil
}

// fill reads once. It returns io.EOF only if nothing came.
func (r *reader) fill() error {
	if r.w == len(r.buffer()) {
		r.makeRoom()
	}
	n, err := r.src.Read(r.buffer()[r.w:])
	r.w += n
	r.begun = r.begun || n > 0
	if n > 0 {
		return nil
	}
	if err == nil {
		return io.ErrNoProgress
	}
	return err
}

// makeRoom moves what is unread to the front, of a larger buffer if need be.
func (r *reader) makeRoom() {
	old, into := r.unread(), r.buffer()
	switch {
	case r.large == nil:
		r.large = largeBuffers.Get().(*[]byte)
		into = *r.large
	case r.r == 0:
		into = make([]byte, 2*len(into))
		r.large = &into
	}
	r.r, r.w = 0, copy(into, old)
}

// nextHead returns the next header block without consuming it, or errNotMessage
// as soon as it is certain that it is no message's. io.EOF means that the
// connection ended between requests.
func (r *reader) nextHead() ([]byte, error) {
	r.release()
	r.begun = r.w > r.r
	for scanned := 0; ; {
		if n := headEnd(r.unread(), scanned); n > 0 {
			if !isMessageHead(r.unread()[:n]) {
				return nil, errNotMessage
			}
			return r.unread()[:n], nil
		}
		if !couldBeMessage(r.unread()) || r.w-r.r >= r.limit {
			return nil, errNotMessage // the HTTP server knows what to answer
		}
		scanned = max(r.w-r.r-3, 0)
		if err := r.fill(); err != nil {
			if errors.Is(err, io.EOF) && r.w > r.r {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
}

// couldBeMessage is false when even the first bytes rule a message out.
func couldBeMessage(b []byte) bool {
	const post = "POST "
	n := min(len(b), len(post))
	return string(b[:n]) == post[:n]
}

// headEnd returns the length of the header block that b begins with, 0 if its
// end is not there. Lines may end in a bare LF. Bytes before from were looked
// at already.
func headEnd(b []byte, from int) int {
	for i := from; ; {
		n := bytes.IndexByte(b[i:], '\n')
		if n < 0 {
			return 0
		}
		i += n + 1
		switch rest := b[i:]; {
		case bytes.HasPrefix(rest, []byte("\n")):
			return i + 1
		case bytes.HasPrefix(rest, []byte("\r\n")):
			return i + 2
		}
	}
}

// line reads a line without its end: a chunk's size or a trailer. It is valid
// until the next read.
func (r *reader) line(limit int) ([]byte, error) {
	for {
		if i := bytes.IndexByte(r.unread(), '\n'); i >= 0 {
			if i > limit {
				return nil, fmt.Errorf("%w: line of %d bytes in a chunked body", ErrTooLarge, i)
			}
			line := bytes.TrimSuffix(r.unread()[:i], []byte("\r"))
			r.skip(i + 1)
			return line, nil
		}
		if r.w-r.r > limit {
			return nil, fmt.Errorf("%w: line in a chunked body", ErrTooLarge)
		}
		if err := r.fill(); err != nil {
			return nil, unexpected(err)
		}
	}
}

// body reads the body that h announces.
func (r *reader) body(h head, b *body) error {
	if !h.chunked {
		return r.exactly(b, h.length)
	}
	for {
		size, err := r.chunkSize()
		if err != nil {
			return err
		}
		if size == 0 {
			return r.trailers()
		}
		if err := r.exactly(b, size); err != nil {
			return err
		}
		if end, err := r.line(2); err != nil || len(end) > 0 {
			return errors.Join(fmt.Errorf("%w: a chunk is longer than it says", ErrBadMessage), err)
		}
	}
}

// maxChunkLine bounds a chunk's size with its extensions; nobody sends any.
const maxChunkLine = 256

func (r *reader) chunkSize() (int64, error) {
	line, err := r.line(maxChunkLine)
	if err != nil {
		return 0, err
	}
	digits, _, _ := bytes.Cut(line, []byte(";"))
	n, err := strconv.ParseUint(string(bytes.TrimSpace(digits)), 16, 62)
	if err != nil {
		return 0, fmt.Errorf("%w: chunk size %.32q", ErrBadMessage, line)
	}
	return int64(n), nil
}

// trailers are read and ignored.
func (r *reader) trailers() error {
	for total := 0; total < r.limit; {
		line, err := r.line(r.limit)
		if err != nil || len(line) == 0 {
			return err
		}
		total += len(line)
	}
	return fmt.Errorf("%w: trailers", ErrTooLarge)
}

// exactly appends the next n bytes to b.
func (r *reader) exactly(b *body, n int64) error {
	if err := b.announce(n); err != nil {
		return err
	}
	have := min(int64(r.w-r.r), n)
	if err := b.append(r.unread()[:have]); err != nil {
		return err
	}
	r.skip(int(have))
	return b.readFrom(r.src, n-have)
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
