// Package kubeapi is a client of the Kubernetes API for the few requests that
// the daemons make themselves: masterd labels the pod that leads and asks who a
// ServiceAccount's token belongs to. The daemons also work without Kubernetes,
// so they don't carry client-go.
//
//	client, err := kubeapi.New(kubeapi.InPod(os.Getenv))
//	err = client.Do(ctx, kubeapi.Request{Method: http.MethodPost, Path: "/apis/…", Body: review, Into: &review})
//
// A Client may be used by any goroutine.
package kubeapi

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

// Where the kubelet mounts a pod's service account.
const (
	accountToken = "/var/run/secrets/kubernetes.io/serviceaccount/token"
	accountCA    = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"
)

// maxAnswer bounds what is read of an answer: what the daemons ask for is far
// smaller, and so is a Status that explains itself.
const maxAnswer = 1 << 20

// Config says how to reach the API server.
type Config struct {
	// Server is its URL without a trailing slash.
	Server string
	// TokenFile holds the bearer token; it is read for every request, because
	// the kubelet renews it.
	TokenFile string
	// CAFile holds the certificates that the server's is checked against;
	// default: those of the system.
	CAFile string
	// Timeout bounds one request. Default 5 s.
	Timeout time.Duration
}

// ErrNotInPod says that the environment doesn't tell where the API server is.
var ErrNotInPod = errors.New("KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set: not in a pod?")

// InPod is the Config of a pod; getenv is os.Getenv but in tests. Outside of a
// pod Server is "".
func InPod(getenv func(string) string) Config {
	c := Config{TokenFile: accountToken, CAFile: accountCA}
	host, port := getenv("KUBERNETES_SERVICE_HOST"), getenv("KUBERNETES_SERVICE_PORT")
	if host != "" && port != "" {
		c.Server = "https://" + net.JoinHostPort(host, port)
	}
	return c
}

// Validate reports what is missing or wrong.
func (c Config) Validate() error {
	var errs []error
	if c.Server == "" {
		errs = append(errs, ErrNotInPod)
	}
	if c.TokenFile == "" {
		errs = append(errs, errors.New("no token file"))
	}
	if c.Timeout < 0 {
		errs = append(errs, errors.New("the timeout is negative"))
	}
	return errors.Join(errs...)
}

// Client makes requests as the pod's service account.
type Client struct {
	cfg  Config
	http *http.Client
}

// New returns a client. The CA file must be there.
func New(cfg Config) (*Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 5 * time.Second
	}
	transport := &http.Transport{MaxIdleConns: 4, MaxIdleConnsPerHost: 4, ForceAttemptHTTP2: true}
	if cfg.CAFile != "" {
		pem, err := os.ReadFile(cfg.CAFile)
		if err != nil {
			return nil, fmt.Errorf("reading the API server's certificates: %w", err)
		}
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("reading the API server's certificates: none in %s", cfg.CAFile)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	return &Client{cfg: cfg, http: &http.Client{Transport: transport}}, nil
}

// Request is one request.
type Request struct {
	Method, Path string
	// ContentType is that of Body; default: application/json.
	ContentType string
	// Body is sent as JSON.
	Body any
	// Into gets the answer; nil: it isn't read.
	Into any
}

// StatusError is an answer other than 2xx.
type StatusError struct {
	Status int
	// Text is the beginning of what the server says about it.
	Text string
}

// Error implements error.
func (e *StatusError) Error() string {
	return fmt.Sprintf("%d %s: %s", e.Status, http.StatusText(e.Status), e.Text)
}

// Do makes a request. The answer of a server that refuses is a *StatusError.
func (c *Client) Do(ctx context.Context, r Request) error {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	req, err := c.request(ctx, r)
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if resp.StatusCode/100 != 2 {
		const most = 1 << 10
		return &StatusError{Status: resp.StatusCode, Text: string(bytes.TrimSpace(answer[:min(len(answer), most)]))}
	}
	if err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	if r.Into == nil {
		return nil
	}
	if err := json.Unmarshal(answer, r.Into); err != nil {
		return fmt.Errorf("decoding the answer: %w", err)
	}
	return nil
}

func (c *Client) request(ctx context.Context, r Request) (*http.Request, error) {
	body, err := json.Marshal(r.Body)
	if err != nil {
		return nil, fmt.Errorf("encoding the request: %w", err)
	}
	token, err := os.ReadFile(c.cfg.TokenFile)
	if err != nil {
		return nil, fmt.Errorf("reading the service account's token: %w", err)
	}
	if token = bytes.TrimSpace(token); len(token) == 0 {
		return nil, errors.New("reading the service account's token: the file is empty")
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, c.cfg.Server+r.Path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("making the request: %w", err)
	}
	if r.ContentType == "" {
		r.ContentType = "application/json"
	}
	req.Header.Set("Authorization", "Bearer "+string(token))
	req.Header.Set("Content-Type", r.ContentType)
	req.Header.Set("Accept", "application/json")
	return req, nil
}
