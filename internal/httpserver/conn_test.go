package httpserver

import (
	"bytes"
	"compress/gzip"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"strings"
	"testing"

	"github.com/mesos-operator/mesos-operator/internal/lane"
)

// ready is an answer in memory.
type ready struct{ *bytes.Reader }

func (ready) InMemory() {}

func sendReady(text []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(len(text)))
		w.WriteHeader(http.StatusOK)
		_, _ = io.Copy(w, struct{ InMemory }{ready{bytes.NewReader(text)}}) // without its WriteTo
	})
}

// A client that doesn't read keeps no turn: others get their answers, and the
// next one over the same connection.
func TestLargeAnswersTakeTurns(t *testing.T) {
	text := bytes.Repeat([]byte("0123456789abcdef"), 1<<19+1) // more than sockets hold, and no multiple of a block
	router := NewRouter("master")
	router.Handle("master", "large", sendReady(text))
	l := lane.WithTurns(1)
	address := serve(t, Config{Handler: router, Lane: l})
	for range 3 {
		idle, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer idle.Close()
		if _, err := io.WriteString(idle, "GET /large HTTP/1.1\r\nHost: m\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(idle, make([]byte, 1)); err != nil {
			t.Fatal(err) // it has begun
		}
	}
	client := &http.Client{Transport: &http.Transport{DisableCompression: true}}
	defer client.CloseIdleConnections()
	reused := 0
	trace := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) {
		if c.Reused {
			reused++
		}
	}})
	for i := range 3 {
		request, err := http.NewRequestWithContext(trace, http.MethodGet, "http://"+address+"/large", nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || !bytes.Equal(got, text) {
			t.Fatalf("answer %d: %d bytes of %d, %v", i, len(got), len(text), err)
		}
	}
	if reused != 2 {
		t.Errorf("the connection was used again %d times of 2", reused)
	}
	l.Enter() // nobody holds the turn
	l.Leave()
}

// What passes through compression, JSONP or HEAD is the same as without blocks.
func TestLargeAnswersThroughTheMiddleware(t *testing.T) {
	text := bytes.Repeat([]byte(`{"a":1} `), 1<<16)
	router := NewRouter("master")
	router.Handle("master", "large", sendReady(text))
	address := serve(t, Config{Handler: router, Lane: lane.WithTurns(1)})
	for name, tc := range map[string]struct {
		method string
		header http.Header
		want   string
	}{
		"plain":      {http.MethodGet, http.Header{"Accept-Encoding": {"identity"}}, string(text)},
		"compressed": {http.MethodGet, http.Header{"Accept-Encoding": {"gzip"}}, string(text)},
		"HEAD":       {http.MethodHead, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			response, body := ask(t, tc.method, "http://"+address+"/large", tc.header, nil)
			if response.Header.Get("Content-Encoding") == "gzip" {
				body = unpacked(t, body)
			} else if name == "compressed" {
				t.Error("it isn't compressed")
			}
			if response.StatusCode != http.StatusOK || body != tc.want {
				t.Errorf("%s: %d bytes, want %d", response.Status, len(body), len(tc.want))
			}
		})
	}
}

func unpacked(t *testing.T, text string) string {
	t.Helper()
	r, err := gzip.NewReader(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
