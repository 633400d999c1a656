// Package api is the little of a Kubernetes client that localkube itself needs:
// JSON requests with a client certificate. A generated client would be most of what
// a fresh machine has to compile before it can show progress.
package api

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// maxBody bounds an answer.
const maxBody = 64 << 20

// StatusError is an answer other than 2xx.
type StatusError struct {
	Code    int
	Message string
}

func (e *StatusError) Error() string { return fmt.Sprintf("status %d: %s", e.Code, e.Message) }

// IsStatus tells whether err is an answer with that code.
func IsStatus(err error, code int) bool {
	s, ok := errors.AsType[*StatusError](err)
	return ok && s.Code == code
}

// Client sends requests to one API server.
type Client struct {
	server string
	http   http.Client
}

// New returns a client for server that trusts the authority and shows the
// certificate, all given as PEM files.
func New(server, caFile, certFile, keyFile string) (*Client, error) {
	ca, err := os.ReadFile(caFile)
	if err != nil {
		return nil, fmt.Errorf("making a client: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		return nil, fmt.Errorf("making a client: %s holds no certificate", caFile)
	}
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("making a client: %w", err)
	}
	return &Client{server: server, http: http.Client{
		Timeout: 10 * time.Second,
		Transport: &http.Transport{
			ForceAttemptHTTP2: true,
			TLSClientConfig:   &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{cert}},
		},
	}}, nil
}

// Do sends in (unless nil) as JSON and decodes the answer into out (unless nil).
func (c *Client) Do(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.server+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %w", method, path, statusError(resp.StatusCode, b))
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(b, out); err != nil {
		return fmt.Errorf("%s %s: decoding the answer: %w", method, path, err)
	}
	return nil
}

// statusError takes the message out of a metav1.Status, if that is what came.
func statusError(code int, body []byte) error {
	var s struct{ Message string }
	if json.Unmarshal(body, &s) != nil || s.Message == "" {
		s.Message = string(body[:min(len(body), 200)])
	}
	return &StatusError{code, s.Message}
}
