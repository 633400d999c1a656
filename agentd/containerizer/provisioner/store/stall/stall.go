// Package stall ends downloads of images from servers that send nothing any more. How
// long a download may take all in all nobody can say; stores use this instead.
package stall

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"
)

// ErrStalled says that a server sent nothing for too long.
var ErrStalled = errors.New("the server sends nothing any more")

// Transport is an http.RoundTripper that gives up on servers that are silent.
type Transport struct {
	// Base makes the requests.
	Base http.RoundTripper
	// After is how long a server may be silent, before its answer and within.
	After time.Duration
}

// RoundTrip implements http.RoundTripper.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(r.Context())
	timer := time.AfterFunc(t.After, func() { cancel(ErrStalled) })
	resp, err := t.Base.RoundTrip(r.WithContext(ctx))
	timer.Stop()
	if err != nil {
		if errors.Is(context.Cause(ctx), ErrStalled) {
			err = ErrStalled
		}
		cancel(nil)
		return nil, err
	}
	resp.Body = &body{ReadCloser: resp.Body, ctx: ctx, timer: timer, after: t.After, cancel: cancel}
	return resp, nil
}

// body is an answer of which every read is timed. The time that its reader takes, to
// write to a disk, is not the server's.
type body struct {
	io.ReadCloser
	ctx    context.Context //nolint:containedctx // that of the request that the body is of
	timer  *time.Timer
	after  time.Duration
	cancel context.CancelCauseFunc
}

func (b *body) Read(p []byte) (int, error) {
	b.timer.Reset(b.after)
	n, err := b.ReadCloser.Read(p)
	b.timer.Stop()
	if err != nil && err != io.EOF && errors.Is(context.Cause(b.ctx), ErrStalled) {
		err = ErrStalled
	}
	return n, err
}

func (b *body) Close() error {
	b.timer.Stop()
	err := b.ReadCloser.Close()
	b.cancel(nil)
	return err
}
