// Package recordio frames the messages of Mesos's streaming APIs: each record is its length in
// decimal digits, a newline and that many bytes.
//
// Some clients read one record per HTTP chunk, so writers frame a record with [AppendRecord], hand it
// to the connection in one Write, and flush. Everybody who reads or writes a stream uses this package:
// the scheduler, executor and operator endpoints, and their clients.
package recordio

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// ErrMalformed is wrapped by errors about a stream that is not RecordIO.
var ErrMalformed = errors.New("malformed record")

// ErrTooLarge is wrapped by the error about a record over the reader's limit.
var ErrTooLarge = errors.New("record too large")

// AppendRecord appends payload as one record to dst.
func AppendRecord(dst, payload []byte) []byte {
	dst = strconv.AppendInt(dst, int64(len(payload)), 10)
	dst = append(dst, '\n')
	return append(dst, payload...)
}

// AppendChunk appends payload as one record that is an HTTP/1.1 chunk of its own. Any number of them
// can be written to a connection at once, where an http.ResponseWriter needs a flush for each.
func AppendChunk(dst, payload []byte) []byte {
	var head [maxLengthDigits + 1]byte
	record := append(strconv.AppendInt(head[:0], int64(len(payload)), 10), '\n')
	dst = strconv.AppendInt(dst, int64(len(record)+len(payload)), 16)
	dst = append(dst, "\r\n"...)
	dst = append(dst, record...)
	dst = append(dst, payload...)
	return append(dst, "\r\n"...)
}

// OfChunk returns the record of a chunk that AppendChunk has made.
func OfChunk(chunk []byte) []byte {
	return chunk[bytes.IndexByte(chunk, '\n')+1 : len(chunk)-len("\r\n")]
}

// maxLengthDigits bounds the length line: twenty digits hold any 64-bit number.
const maxLengthDigits = 20

// Reader reads records off a stream.
type Reader struct {
	r   *bufio.Reader
	max int
	buf []byte
	err error
}

// NewReader returns a Reader that refuses records of more than maxRecord bytes.
func NewReader(r io.Reader, maxRecord int) *Reader {
	return &Reader{r: bufio.NewReader(r), max: maxRecord}
}

// Next returns the next record, which is valid until the next call. At the end of the stream between
// two records it returns io.EOF, inside one io.ErrUnexpectedEOF. Errors stick: after one the stream
// has lost its frame.
func (r *Reader) Next() ([]byte, error) {
	if r.err != nil {
		return nil, r.err
	}
	record, err := r.next()
	r.err = err
	return record, err
}

func (r *Reader) next() ([]byte, error) {
	n, err := r.length()
	if err != nil {
		return nil, err
	}
	if err := r.fill(n); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, fmt.Errorf("reading a record of %d bytes: %w", n, err)
	}
	return r.buf, nil
}

func (r *Reader) length() (int, error) {
	n, digits := 0, 0
	for {
		c, err := r.r.ReadByte()
		switch {
		case err != nil && digits > 0 && errors.Is(err, io.EOF):
			return 0, fmt.Errorf("reading a record's length: %w", io.ErrUnexpectedEOF)
		case err != nil:
			return 0, err
		case c == '\n' && digits > 0:
			return n, nil
		case c < '0' || c > '9':
			return 0, fmt.Errorf("%w: byte %q where a length was expected", ErrMalformed, c)
		}
		digits++
		n = n*10 + int(c-'0')
		if digits == maxLengthDigits || n > r.max {
			return 0, fmt.Errorf("%w: more than %d bytes", ErrTooLarge, r.max)
		}
	}
}

// growStep is how much is allocated ahead of what has arrived, so that a sender pays for the memory
// it announces.
const growStep = 1 << 20

func (r *Reader) fill(n int) error {
	r.buf = r.buf[:0]
	for len(r.buf) < n {
		step := min(n-len(r.buf), growStep)
		from := len(r.buf)
		if cap(r.buf) < from+step {
			grown := make([]byte, from, max(from+step, 2*cap(r.buf)))
			copy(grown, r.buf)
			r.buf = grown
		}
		r.buf = r.buf[:from+step]
		if _, err := io.ReadFull(r.r, r.buf[from:]); err != nil {
			return err
		}
	}
	return nil
}
