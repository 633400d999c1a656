package httpserver

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// limited bounds the size of bodies.
func (s *Server) limited(next http.Handler) http.Handler {
	maxBytes := s.cfg.MaxBodyBytes
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.isStream(r) {
			if r.ContentLength > maxBytes {
				w.Header().Set("Connection", "close") // nobody reads what it sends
				http.Error(w, (&http.MaxBytesError{Limit: maxBytes}).Error(), http.StatusRequestEntityTooLarge)
				return
			}
			r.Body = http.MaxBytesReader(w, r.Body, maxBytes)
		}
		next.ServeHTTP(w, r)
	})
}

// hurried bounds the time that a client may pause while it sends a body.
func (s *Server) hurried(next http.Handler) http.Handler {
	pause := s.cfg.BodyTimeout
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body != http.NoBody && !s.isStream(r) {
			body := &impatient{ReadCloser: r.Body, control: http.NewResponseController(w), pause: pause}
			body.renew() // also for the server, which reads what the handler doesn't
			// The server must find its own body at the end: of a client that waits for
			// leave to send one that nobody wants (Expect) it reads nothing then.
			r = copied(r)
			r.Body = body
		}
		next.ServeHTTP(w, r)
	})
}

// inflated decompresses bodies that say so, which Mesos takes from clients.
func inflated(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.EqualFold(r.Header.Get("Content-Encoding"), "gzip") {
			r.Header.Del("Content-Encoding")
			r.Header.Del("Content-Length")
			r.ContentLength = -1
			r.Body = &gunzipped{ReadCloser: r.Body}
		}
		next.ServeHTTP(w, r)
	})
}

// gunzipped begins to decompress when it is read, so that a broken body fails
// in the handler like any other one.
type gunzipped struct {
	io.ReadCloser
	gzip *gzip.Reader
}

func (b *gunzipped) Read(p []byte) (int, error) {
	if b.gzip == nil {
		reader, err := gzip.NewReader(b.ReadCloser)
		if err != nil {
			return 0, fmt.Errorf("decompressing the body: %w", err)
		}
		b.gzip = reader
	}
	return b.gzip.Read(p)
}

// isStream says whether a body is one of those that Config.Streams is for.
func (s *Server) isStream(r *http.Request) bool {
	return s.cfg.Streams != "" && strings.HasSuffix(strings.TrimRight(r.URL.Path, "/"), s.cfg.Streams) &&
		strings.HasPrefix(r.Header.Get("Content-Type"), "application/recordio")
}

// impatient sets a deadline for every read of a body, and takes it back at the
// end of it: from there on the server reads to notice that the client leaves.
type impatient struct {
	io.ReadCloser
	control *http.ResponseController
	pause   time.Duration
	ended   bool
}

func (b *impatient) Read(p []byte) (int, error) {
	if b.ended {
		return b.ReadCloser.Read(p)
	}
	b.renew()
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		b.ended = true
		_ = b.control.SetReadDeadline(time.Time{})
	}
	return n, err
}

// renew ignores that writers without deadlines exist: those of tests.
func (b *impatient) renew() { _ = b.control.SetReadDeadline(time.Now().Add(b.pause)) }
