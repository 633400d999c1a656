package httpserver

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mesos-operator/mesos-operator/internal/lane"
	"github.com/mesos-operator/mesos-operator/internal/libprocess"
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

// dialer opens connections to a server.
type dialer func(address string) (net.Conn, error)

// withTLS makes settings with TLS, and what connects to such a server.
func withTLS(t testing.TB, cfg Config) (Config, dialer) {
	t.Helper()
	donor := httptest.NewTLSServer(nil) // of a certificate
	donor.Close()
	node, err := libprocess.NewNode(libprocess.Config{
		Address:   libprocess.AddressFrom(netip.MustParseAddrPort("127.0.0.1:1")),
		ServerTLS: &tls.Config{Certificates: donor.TLS.Certificates},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { node.Close() })
	trusted := x509.NewCertPool()
	trusted.AddCert(donor.Certificate())
	cfg.Node = node
	return cfg, func(address string) (net.Conn, error) {
		return tls.Dial("tcp", address, &tls.Config{RootCAs: trusted})
	}
}

// withoutTLS is withTLS for the others.
func withoutTLS(_ testing.TB, cfg Config) (Config, dialer) {
	return cfg, func(address string) (net.Conn, error) { return net.Dial("tcp", address) }
}

var encryptions = map[string]func(testing.TB, Config) (Config, dialer){"plain": withoutTLS, "TLS": withTLS}

// A client that doesn't read keeps no turn: others get their answers, and the
// next one over the same connection.
func TestLargeAnswersTakeTurns(t *testing.T) {
	for name, with := range encryptions {
		t.Run(name, func(t *testing.T) {
			l := lane.WithTurns(1)
			router := NewRouter("master")
			router.Handle("master", "large", sendReady(largeText))
			router.Handle("master", "written", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				Write(w, http.StatusOK, "text/plain", largeText)
			}))
			cfg, dial := with(t, Config{Handler: router, Lane: l})
			address := serve(t, cfg)
			for range 3 {
				idle, err := dial(address)
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
			readInTurn(t, dial, address)
			l.Enter() // nobody holds the turn
			l.Leave()
		})
	}
}

// largeText is more than sockets hold, and no multiple of a block.
var largeText = bytes.Repeat([]byte("0123456789abcdef"), 1<<19+1)

// readInTurn reads several answers over one connection.
func readInTurn(t *testing.T, dial dialer, address string) {
	t.Helper()
	dialed := func(context.Context, string, string) (net.Conn, error) { return dial(address) }
	client := &http.Client{Transport: &http.Transport{DisableCompression: true, DialContext: dialed}}
	defer client.CloseIdleConnections()
	reused := 0
	trace := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) {
		if c.Reused {
			reused++
		}
	}})
	paths := []string{"large", "written", "large", "written"}
	for _, path := range paths {
		request, err := http.NewRequestWithContext(trace, http.MethodGet, "http://"+address+"/"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || !bytes.Equal(got, largeText) {
			t.Fatalf("%s: %d bytes of %d, %v", path, len(got), len(largeText), err)
		}
	}
	if want := len(paths) - 1; reused != want {
		t.Errorf("the connection was used again %d times of %d", reused, want)
	}
}

// Who doesn't read is cut off, and those who wait behind him have their turns.
func TestWhoDoesNotReadIsCutOff(t *testing.T) {
	for name, with := range encryptions {
		t.Run(name, func(t *testing.T) {
			failed := make(chan error, 1)
			handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				_, err := w.Write(largeText)
				failed <- err
			})
			cfg, dial := with(t, Config{Handler: handler, Lane: lane.WithTurns(1), WriteTimeout: 50 * time.Millisecond})
			conn, err := dial(serve(t, cfg))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: m\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			if err := <-failed; !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%v, want that the time is over", err)
			}
		})
	}
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

// BenchmarkInTurns is one of 8 MiB.
func BenchmarkInTurns(b *testing.B) {
	for name, with := range encryptions {
		b.Run(name, func(b *testing.B) {
			cfg, dial := with(b, Config{Handler: sendReady(largeText), Lane: lane.WithTurns(1)})
			address := serve(b, cfg)
			dialed := func(context.Context, string, string) (net.Conn, error) { return dial(address) }
			client := &http.Client{Transport: &http.Transport{DisableCompression: true, DialContext: dialed}}
			defer client.CloseIdleConnections()
			b.SetBytes(int64(len(largeText)))
			for b.Loop() {
				response, err := client.Get("http://" + address)
				if err != nil {
					b.Fatal(err)
				}
				n, err := io.Copy(io.Discard, response.Body)
				response.Body.Close()
				if err != nil || n != int64(len(largeText)) {
					b.Fatalf("%d bytes, %v", n, err)
				}
			}
		})
	}
}
