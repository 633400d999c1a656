// Package masterclient is a client of the v1 HTTP APIs of Mesos masters and agents: calls to the
// operator APIs, and a scheduler's session with its event stream.
//
// It speaks protobuf, follows the redirects of masters that do not lead, bounds what it reads, and
// reports refusals as [*StatusError]. mesosctl, the operator and the tests use it; it works with any
// Mesos 1.x, so nothing here is private to this project's masters.
package masterclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mesos-operator/mesos-operator/api/mesos/v1/agent"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/master"
	"github.com/mesos-operator/mesos-operator/internal/codec"
	"github.com/mesos-operator/mesos-operator/internal/tlsconfig"
)

const (
	// DefaultPort is where a master listens unless it is told otherwise (Mesos's --port).
	DefaultPort = "5050"
	// maxAnswer bounds one answer or one record of a stream. The state of a cluster with 100,000 tasks
	// is about 100 MB.
	maxAnswer = 1 << 30
	// maxErrorText bounds how much of a refusal's text is kept.
	maxErrorText = 4 << 10
)

// StatusError is an answer other than the one asked for, such as 400 with the reason as text.
type StatusError struct {
	// Code is the HTTP status.
	Code int
	// Message is what the server said, trimmed; possibly empty.
	Message string
}

// Error implements error.
func (e *StatusError) Error() string {
	if e.Message == "" {
		return fmt.Sprintf("%d %s", e.Code, http.StatusText(e.Code))
	}
	return fmt.Sprintf("%d %s: %s", e.Code, http.StatusText(e.Code), e.Message)
}

// Config says how to reach a cluster. The zero value of every field but Master is usable.
type Config struct {
	// Master is "host:port", "host" (port 5050) or a URL. It need not be the leader.
	Master string
	// Username and Password are sent as HTTP Basic when Username is set.
	Username, Password string
	// TLS secures connections to masters and agents; nil: they are in the clear, unless Master is an
	// https URL.
	TLS *tlsconfig.Source
	// Dial opens connections to masters and agents; nil dials directly. Tunnels into a Kubernetes
	// cluster come in here.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Validate checks the configuration.
func (c Config) Validate() error {
	if c.Master == "" {
		return errors.New("no master given")
	}
	return nil
}

// Client talks to one cluster. Its methods may be called from several goroutines.
type Client struct {
	config Config
	base   string
	http   *http.Client
}

// New returns a client; nothing is sent yet.
func New(config Config) (*Client, error) {
	if err := config.Validate(); err != nil {
		return nil, fmt.Errorf("master client: %w", err)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.ResponseHeaderTimeout = 30 * time.Second
	if config.Dial != nil {
		transport.DialContext, transport.Proxy = config.Dial, nil
	}
	config.TLS.Transport(transport, config.Dial)
	c := &Client{config: config, base: baseURL(config.TLS.Scheme(), config.Master)}
	c.http = &http.Client{Transport: transport, CheckRedirect: c.carryCredentials}
	return c, nil
}

// carryCredentials lets Basic credentials follow a redirect from one master to another, which the
// standard client drops when the host differs.
func (c *Client) carryCredentials(r *http.Request, via []*http.Request) error {
	if len(via) >= 5 {
		return errors.New("masters redirect in a circle")
	}
	c.authenticate(r)
	return nil
}

func (c *Client) authenticate(r *http.Request) {
	if c.config.Username != "" {
		r.SetBasicAuth(c.config.Username, c.config.Password)
	}
}

func baseURL(otherwise, address string) string {
	scheme, rest, ok := strings.Cut(address, "://")
	if !ok {
		scheme, rest = otherwise, address
	}
	rest = strings.TrimRight(rest, "/")
	if _, _, err := net.SplitHostPort(rest); err != nil && (!ok || scheme == "http") {
		rest = net.JoinHostPort(strings.Trim(rest, "[]"), DefaultPort)
	}
	return scheme + "://" + rest
}

// scheme is that of the agents' URLs: they speak what their master does.
func (c *Client) scheme() string {
	scheme, _, _ := strings.Cut(c.base, "://")
	return scheme
}

// Master sends an operator call to the leading master. Calls without a response message (202) return
// nil and no error.
func (c *Client) Master(ctx context.Context, call *master.Call) (*master.Response, error) {
	response := &master.Response{}
	ok, err := c.call(ctx, c.base+"/api/v1", call, response)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", call.GetType(), err)
	}
	if !ok {
		return nil, nil
	}
	return response, nil
}

// Agent sends an operator call to the agent that listens at address, "host:port".
func (c *Client) Agent(ctx context.Context, address string, call *agent.Call) (*agent.Response, error) {
	response := &agent.Response{}
	ok, err := c.call(ctx, c.scheme()+"://"+address+"/api/v1", call, response)
	if err != nil {
		return nil, fmt.Errorf("%s at agent %s: %w", call.GetType(), address, err)
	}
	if !ok {
		return nil, nil
	}
	return response, nil
}

// call posts one message; ok tells whether the answer had a body, which was read into response.
func (c *Client) call(ctx context.Context, url string, call, response proto.Message) (ok bool, err error) {
	r, err := c.post(ctx, url, call, nil)
	if err != nil {
		return false, err
	}
	defer r.Body.Close()
	switch r.StatusCode {
	case http.StatusAccepted:
		return false, nil
	case http.StatusOK:
	default:
		return false, statusError(r)
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxAnswer))
	if err != nil {
		return false, fmt.Errorf("reading the answer: %w", err)
	}
	if len(body) == 0 {
		return false, nil
	}
	return true, codec.Unmarshal(codec.Protobuf, body, response)
}

func (c *Client) post(ctx context.Context, url string, call proto.Message, header http.Header) (*http.Response, error) {
	body, err := codec.Marshal(codec.Protobuf, call)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", codec.Protobuf)
	r.Header.Set("Accept", codec.Protobuf)
	for k, v := range header {
		r.Header[k] = v
	}
	c.authenticate(r)
	return c.http.Do(r)
}

func statusError(r *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(r.Body, maxErrorText))
	return &StatusError{Code: r.StatusCode, Message: strings.TrimSpace(string(text))}
}
