package memfile

import (
	"bytes"
	"errors"
	"io"
	"os"
	"syscall"
	"testing"

	"pgregory.net/rapid"
)

// pair returns a socket that doesn't wait, and the one that gets what it sends.
func pair(t *testing.T) (from int, to *os.File) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.SetNonblock(fds[0], true); err != nil {
		t.Fatal(err)
	}
	to = os.NewFile(uintptr(fds[1]), "socket")
	t.Cleanup(func() { syscall.Close(fds[0]); to.Close() })
	return fds[0], to
}

func newFile(t *testing.T) *File {
	t.Helper()
	f, err := Create("test")
	if errors.Is(err, ErrUnsupported) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// TestSend appends and sends in any order and pieces of any length: what arrives
// is what was in the file, whatever was added behind it while it waited.
func TestSend(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		f := newFile(t)
		defer f.Close()
		from, to := pair(t)
		var written []byte
		sent := 0
		for range rapid.IntRange(1, 30).Draw(r, "steps") {
			if rapid.Bool().Draw(r, "append") {
				more := bytes.Repeat([]byte{byte(len(written))}, rapid.IntRange(1, 9000).Draw(r, "bytes"))
				if err := f.Append(more); err != nil {
					r.Fatal(err)
				}
				written = append(written, more...)
				continue
			}
			n, err := f.Send(uintptr(from), int64(sent), min(len(written)-sent, rapid.IntRange(0, 20_000).Draw(r, "most")))
			if err != nil && !errors.Is(err, syscall.EAGAIN) {
				r.Fatal(err)
			}
			if rapid.Bool().Draw(r, "later") { // it waits in the socket while more is appended
				if err := f.Append([]byte("later")); err != nil {
					r.Fatal(err)
				}
				written = append(written, "later"...)
			}
			got := make([]byte, n)
			if _, err := io.ReadFull(to, got); err != nil {
				r.Fatal(err)
			}
			if !bytes.Equal(got, written[sent:sent+n]) {
				r.Fatalf("%d bytes from %d on aren't those of the file", n, sent)
			}
			sent += n
		}
	})
}

func TestWhatWaitsInASocketOutlivesTheFile(t *testing.T) {
	f := newFile(t)
	from, to := pair(t)
	text := bytes.Repeat([]byte("0123456789abcdef"), 2048)
	if err := f.Append(text); err != nil {
		t.Fatal(err)
	}
	n, err := f.Send(uintptr(from), 0, len(text))
	if err != nil || n == 0 {
		t.Fatalf("sent %d, %v", n, err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, n)
	if _, err := io.ReadFull(to, got); err != nil || !bytes.Equal(got, text[:n]) {
		t.Errorf("other bytes than were sent, %v", err)
	}
	if _, err := f.Send(uintptr(from), 0, 1); !errors.Is(err, os.ErrClosed) {
		t.Errorf("sending from a closed file: %v, want %v", err, os.ErrClosed)
	}
	if err := f.Append(text); !errors.Is(err, os.ErrClosed) {
		t.Errorf("appending to a closed file: %v, want %v", err, os.ErrClosed)
	}
}

func TestAFullSocketSaysSo(t *testing.T) {
	f := newFile(t)
	from, _ := pair(t)
	text := make([]byte, 1<<20)
	if err := f.Append(text); err != nil {
		t.Fatal(err)
	}
	sent := 0
	for {
		n, err := f.Send(uintptr(from), int64(sent), len(text)-sent)
		if sent += n; errors.Is(err, syscall.EAGAIN) {
			break
		}
		if err != nil || sent == len(text) {
			t.Fatalf("a socket that nobody reads took %d bytes, %v", sent, err)
		}
	}
	if sent == 0 {
		t.Error("an empty socket took nothing")
	}
}
