package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// errStalled says that a registry sent nothing for too long.
var errStalled = errors.New("the registry sends nothing any more")

// transport holds requests to what the reference allows, and gives up on those that stall.
type transport struct {
	base  http.RoundTripper
	at    endpoint
	stall time.Duration
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	switch {
	case t.at.scheme == "https" && r.URL.Scheme != "https":
		return nil, fmt.Errorf("%s is not asked without TLS", r.URL.Host)
	case t.at.scheme == "http" && r.URL.Host == t.at.host && r.URL.Scheme != "http":
		return nil, fmt.Errorf("%s is not asked with TLS", r.URL.Host)
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	timer := time.AfterFunc(t.stall, func() { cancel(errStalled) })
	resp, err := t.base.RoundTrip(r.WithContext(ctx))
	if err != nil {
		timer.Stop()
		cause := context.Cause(ctx)
		cancel(nil)
		if errors.Is(cause, errStalled) {
			err = errStalled
		}
		return nil, err
	}
	resp.Body = &watched{body: resp.Body, ctx: ctx, timer: timer, stall: t.stall, cancel: cancel}
	return resp, nil
}

// watched is a body whose every read puts the end off.
type watched struct {
	body   io.ReadCloser
	ctx    context.Context //nolint:containedctx // that of the request that the body is of
	timer  *time.Timer
	stall  time.Duration
	cancel context.CancelCauseFunc
}

func (w *watched) Read(p []byte) (int, error) {
	w.timer.Reset(w.stall)
	n, err := w.body.Read(p)
	if err != nil && err != io.EOF && errors.Is(context.Cause(w.ctx), errStalled) {
		err = errStalled
	}
	// Time that the reader takes, to write to a disk, is not the registry's.
	w.timer.Stop()
	return n, err
}

func (w *watched) Close() error {
	w.timer.Stop()
	err := w.body.Close()
	w.cancel(nil)
	return err
}
