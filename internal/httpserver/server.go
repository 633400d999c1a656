package httpserver

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/go-logr/logr"

	"github.com/mesos-operator/mesos-operator/internal/lane"
	"github.com/mesos-operator/mesos-operator/internal/libprocess"
)

// Config holds the settings of a Server. Unset fields have the defaults given.
type Config struct {
	// Handler answers requests: a Router. Required.
	Handler http.Handler
	// Node gets the libprocess messages that come over the same port; nil for
	// HTTP alone.
	Node *libprocess.Node

	// MaxHeaderBytes bounds the headers of a request. Default 64 KiB.
	MaxHeaderBytes int
	// MaxBodyBytes bounds the body of a request that isn't a stream; the
	// handler's read fails with an *http.MaxBytesError. Default 64 MiB.
	MaxBodyBytes int64
	// HeaderTimeout is how long a client may take for its headers. Default 10 s.
	HeaderTimeout time.Duration
	// BodyTimeout is how long it may pause inside of a body. Default 30 s.
	BodyTimeout time.Duration
	// WriteTimeout is how long it may take for 64 KiB of an answer before its
	// connection is closed. Default 1 min.
	WriteTimeout time.Duration
	// IdleTimeout is how long a connection is kept between two requests.
	// Default 2 min.
	IdleTimeout time.Duration
	// ShutdownTimeout is how long requests may go on after Serve's context
	// ended. Default 5 s.
	ShutdownTimeout time.Duration

	// Streams is how the path of the endpoint ends to which clients send streams
	// (application/recordio). Those bodies are bounded neither in size nor in
	// time: they last, and their reader bounds each record. Default: there is none.
	Streams string

	// Lane is where large writes take turns, those of an InMemory paced ones.
	// Default: all at once.
	Lane *lane.Lane

	// Log gets what goes wrong with connections at V(1), and panics.
	Log logr.Logger
}

func (c Config) withDefaults() Config {
	setDefault(&c.MaxHeaderBytes, 64<<10)
	setDefault(&c.MaxBodyBytes, 64<<20)
	setDefault(&c.HeaderTimeout, 10*time.Second)
	setDefault(&c.BodyTimeout, 30*time.Second)
	setDefault(&c.WriteTimeout, time.Minute)
	setDefault(&c.IdleTimeout, 2*time.Minute)
	setDefault(&c.ShutdownTimeout, 5*time.Second)
	if c.Log.GetSink() == nil {
		c.Log = logr.Discard()
	}
	return c
}

func setDefault[T comparable](field *T, value T) {
	if *field == *new(T) {
		*field = value
	}
}

// Server serves one port.
type Server struct {
	cfg  Config
	http *http.Server
}

// New returns a Server. It panics if there is no handler.
func New(cfg Config) *Server {
	if cfg.Handler == nil {
		panic("httpserver: no handler")
	}
	cfg = cfg.withDefaults()
	s := &Server{cfg: cfg}
	s.http = &http.Server{
		Handler:           s.Handler(),
		MaxHeaderBytes:    cfg.MaxHeaderBytes,
		ReadHeaderTimeout: cfg.HeaderTimeout,
		IdleTimeout:       cfg.IdleTimeout,
		ErrorLog:          log.New(logWriter{cfg.Log}, "", 0),

		DisableGeneralOptionsHandler: true, // "OPTIONS *" is as wrong as in Mesos
	}
	return s
}

// Handler is Config.Handler with everything that the server does to requests
// and answers.
func (s *Server) Handler() http.Handler {
	h := s.limited(s.cfg.Handler)
	h = compress(plain(jsonp(inflated(h)))) // limited counts what inflated makes
	if s.cfg.Node != nil {
		h = s.cfg.Node.Handler(h) // it bounds messages itself
	}
	return s.recovered(sane(s.hurried(h)))
}

// sane keeps browsers from taking an answer for what it isn't, and from showing
// it within a page of somebody else's. Other clients don't look.
func sane(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		next.ServeHTTP(w, r)
	})
}

// Serve serves connections until the context ends or the listener fails; then
// it lets requests end for a while, and closes what is left. Streams must end
// with the context by themselves, or are cut off.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	if s.cfg.Node != nil {
		listener = s.cfg.Node.Listener(listener)
	}
	failed := make(chan error, 1)
	how := writing{timeout: s.cfg.WriteTimeout, lane: s.cfg.Lane, answers: s.cfg.Lane.Paced()}
	go func() { failed <- s.http.Serve(&patientListener{listener, how}) }()
	select {
	case err := <-failed:
		s.http.Close()
		return fmt.Errorf("serving HTTP: %w", err)
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.ShutdownTimeout)
	defer cancel()
	if err := s.http.Shutdown(ctx); err != nil {
		s.http.Close()
	}
	if err := <-failed; err != nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving HTTP: %w", err)
	}
	return nil
}

// recovered answers 500 when a handler panics: a mistake in one must not end
// the daemon, nor go unseen.
func (s *Server) recovered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			switch v := recover(); v {
			case nil:
			case http.ErrAbortHandler:
				panic(v)
			default:
				s.cfg.Log.Error(fmt.Errorf("%v", v), "panic in a handler", "method", r.Method,
					"path", r.URL.Path, "stack", string(debug.Stack()))
				http.Error(w, "internal error", http.StatusInternalServerError)
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// logWriter passes on what net/http has to say: about clients, mostly.
type logWriter struct{ log logr.Logger }

func (w logWriter) Write(p []byte) (int, error) {
	w.log.V(1).Info(strings.TrimSpace(string(p)))
	return len(p), nil
}
