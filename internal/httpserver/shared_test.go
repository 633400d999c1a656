package httpserver

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/mesos-operator/mesos-operator/internal/lane"
	"github.com/mesos-operator/mesos-operator/internal/memfile"
)

// sharedText is longer than the sockets of a connection hold.
func sharedText() []byte {
	var text []byte
	for i := 0; len(text) < 12<<20; i++ {
		text = fmt.Appendf(text, "%d\n", i)
	}
	return text
}

func filled(t *testing.T, text []byte) *memfile.File {
	t.Helper()
	f, err := memfile.Create("test")
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { f.Close() })
	if err := f.Append(text); err != nil {
		t.Fatal(err)
	}
	return f
}

// sendShared serves text in pieces from an offset on, and tells how it ended.
func sendShared(t *testing.T, cfg Config, text []byte, f *memfile.File) (address string, ended <-chan error) {
	t.Helper()
	done := make(chan error, 10)
	router := NewRouter("master")
	router.Handle("master", "shared", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			done <- err
			return
		}
		defer conn.Close()
		at := 0
		for _, length := range []int{7, turnFrom, 3<<20 + 1, len(text)} { // any, none of them a multiple of a page
			end := min(at+length, len(text))
			if err = conn.(SharedWriter).WriteShared(Shared{text[at:end], f, int64(at)}); err != nil {
				break
			}
			at = end
		}
		done <- err
	}))
	cfg.Handler = router
	return serve(t, cfg), done
}

func askShared(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := io.WriteString(conn, "GET /shared HTTP/1.1\r\nHost: m\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	return conn
}

func TestSharedBytes(t *testing.T) {
	text := sharedText()
	tests := map[string]struct {
		file   *memfile.File
		closed bool // while the client hasn't read it all
	}{
		"from a file":                   {file: filled(t, text)},
		"from a file that is closed":    {file: filled(t, text), closed: true},
		"from a file with less than it": {file: filled(t, text[:len(text)/2])},
		"without a file":                {},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			address, ended := sendShared(t, Config{Lane: lane.WithTurns(1)}, text, test.file)
			askShared(t, address) // it doesn't read, and costs the other nothing
			conn := askShared(t, address)
			got := make([]byte, len(text))
			if _, err := io.ReadFull(conn, got[:1<<20]); err != nil {
				t.Fatal(err)
			}
			if test.closed {
				test.file.Close()
			}
			if _, err := io.ReadFull(conn, got[1<<20:]); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, text) {
				t.Error("other bytes arrived than were sent")
			}
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
}

func TestWhoDoesNotReadSharedBytesIsCutOff(t *testing.T) {
	text := sharedText()
	address, ended := sendShared(t, Config{WriteTimeout: 50 * time.Millisecond}, text, filled(t, text))
	askShared(t, address)
	if err := <-ended; err == nil {
		t.Error("all was sent to a client that reads nothing")
	}
}
