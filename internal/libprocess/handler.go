package libprocess

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Handler serves the messages that reach an HTTP server, and calls next for
// every other request. They come from senders that name themselves by
// Libprocess-From alone, which await 202 Accepted; a libprocess that sends one
// after an HTTP request on the same connection gets the same answer.
func (n *Node) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isMessageRequest(r) {
			next.ServeHTTP(w, r)
			return
		}
		if err := n.receiveHTTP(w, r); err != nil {
			http.Error(w, err.Error(), statusOf(err))
			return
		}
		w.WriteHeader(http.StatusAccepted)
	})
}

func isMessageRequest(r *http.Request) bool {
	return r.Method == http.MethodPost &&
		(r.Header.Get("Libprocess-From") != "" || strings.HasPrefix(r.UserAgent(), userAgentPrefix))
}

func (n *Node) receiveHTTP(w http.ResponseWriter, r *http.Request) error {
	m, err := n.parseHTTP(r)
	if err != nil {
		return err
	}
	if err := n.admit(m); err != nil {
		return err
	}
	if n.process(m.To.ID) == nil {
		n.counters.refused.Add(1)
		return fmt.Errorf("%w: %q", ErrNoProcess, m.To.ID)
	}
	b := &body{limit: n.cfg.MaxMessageBytes, total: &n.receiving, maxTotal: n.cfg.MaxReceivingBytes}
	defer b.release()
	if m.Body, err = readAll(b, r); err != nil {
		return err
	}
	// As in Mesos, 202 says that the process got it, not what came of it.
	// It is the process's from here on, even if the sender doesn't wait.
	if err := n.deliver(n.ctx, m); err != nil {
		n.logDropped(m, err)
	}
	return nil
}

func (n *Node) parseHTTP(r *http.Request) (Message, error) {
	id, name, err := parsePath(r.URL.EscapedPath())
	if err != nil {
		return Message{}, err
	}
	sender := strings.TrimSpace(r.Header.Get("Libprocess-From"))
	if sender == "" {
		sender = strings.TrimPrefix(r.UserAgent(), userAgentPrefix)
	}
	from, err := parseSender(sender)
	if err != nil {
		return Message{}, err
	}
	return Message{
		Name: name, From: from, Remote: remoteOf(text(r.RemoteAddr)),
		To: PID{ID: id, Address: n.cfg.Address},
	}, nil
}

// readAll reads a request's body within the bounds of b.
func readAll(b *body, r *http.Request) ([]byte, error) {
	if err := b.announce(max(r.ContentLength, 0)); err != nil {
		return nil, err
	}
	for {
		if err := b.reserve(512); err != nil {
			return nil, err
		}
		at := len(b.bytes)
		n, err := r.Body.Read(b.bytes[at:cap(b.bytes)])
		b.bytes = b.bytes[:at+n]
		switch {
		case len(b.bytes) > b.limit:
			return nil, fmt.Errorf("%w: body of more than %d bytes", ErrTooLarge, b.limit)
		case errors.Is(err, io.EOF):
			return b.bytes, nil
		case err != nil:
			return nil, fmt.Errorf("%w: %w", ErrBadMessage, err)
		}
	}
}

func statusOf(err error) int {
	switch {
	case errors.Is(err, ErrNoProcess):
		return http.StatusNotFound
	case errors.Is(err, ErrTooLarge):
		return http.StatusRequestEntityTooLarge
	case errors.Is(err, ErrBadMessage), errors.Is(err, ErrNotAdmitted):
		return http.StatusBadRequest
	}
	return http.StatusInternalServerError
}

// text makes a string a net.Addr's half that remoteOf reads.
type text string

func (t text) String() string { return string(t) }
