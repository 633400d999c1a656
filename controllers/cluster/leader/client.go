package leader

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// State is what a leading master says of itself.
type State struct {
	// Version of Mesos that it answers as.
	Version string
	// ActiveAgents is the number of agents that are registered, connected and not deactivated.
	ActiveAgents int32
	// Votes is the number of masters with a vote, 0 if it is not told.
	Votes int32
	// Current is how many of them answer and are up to date.
	Current int32
	// Listed is the number of masters on the list of peers that the leading master has read.
	Listed int32
}

// ErrNotLeading means that the master that answered does not lead.
var ErrNotLeading = errors.New("the master that answers does not lead")

// Client asks a leading master for its state.
type Client interface {
	State(ctx context.Context, at Target) (State, error)
}

// Tokens gives the operator's own token for an audience.
type Tokens interface {
	Token(ctx context.Context, audience string) (string, error)
}

const (
	// maxAnswer bounds an answer; the metrics of a master with thousands of
	// frameworks, which it counts one by one, stay well below.
	maxAnswer = 16 << 20
	// maxRedirects: a follower answers with the address of the leader, once.
	maxRedirects = 2
)

// HTTPClient asks over HTTP.
type HTTPClient struct {
	http   *http.Client
	tokens Tokens
}

// NewHTTPClient makes a Client that gives each request the given time. tokens may be
// nil: then no token is shown to masters that ask for one.
func NewHTTPClient(timeout time.Duration, tokens Tokens) *HTTPClient {
	return &HTTPClient{tokens: tokens, http: &http.Client{
		Timeout: timeout,
		CheckRedirect: func(_ *http.Request, via []*http.Request) error {
			if len(via) > maxRedirects {
				return fmt.Errorf("more than %d redirects", maxRedirects)
			}
			return nil
		},
	}}
}

// The keys of /metrics/snapshot that are read.
type metrics struct {
	Elected      float64  `json:"master/elected"`
	ActiveAgents float64  `json:"master/slaves_active"`
	Votes        float64  `json:"registrar/log/ensemble_size"`
	Current      *float64 `json:"registrar/log/ensemble_current"`
	Listed       float64  `json:"registrar/log/ensemble_listed"`
}

// State implements Client.
func (c *HTTPClient) State(ctx context.Context, at Target) (State, error) {
	token := ""
	if at.Audience != "" && c.tokens != nil {
		var err error
		if token, err = c.tokens.Token(ctx, at.Audience); err != nil {
			return State{}, fmt.Errorf("asking the leading master: %w", err)
		}
	}
	var m metrics
	if err := c.get(ctx, at.URL+"/metrics/snapshot", token, &m); err != nil {
		return State{}, err
	}
	if m.Elected != 1 {
		// The address is that of a Service: it leads elsewhere by now, but not on a
		// connection that is open.
		c.http.CloseIdleConnections()
		return State{}, ErrNotLeading
	}
	var v struct {
		Version string `json:"version"`
	}
	if err := c.get(ctx, at.URL+"/version", token, &v); err != nil {
		return State{}, err
	}
	if m.Current == nil { // Masters of an earlier version don't tell; they must not block their own upgrade.
		m.Current = &m.Votes
	}
	return State{
		Version: v.Version, ActiveAgents: int32(m.ActiveAgents),
		Votes: int32(m.Votes), Current: int32(*m.Current), Listed: int32(m.Listed),
	}, nil
}

func (c *HTTPClient) get(ctx context.Context, url, token string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("asking the leading master: %w", err)
	}
	request.Header.Set("Accept", "application/json")
	if token != "" { // net/http leaves it out of redirects to other hosts
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return fmt.Errorf("asking the leading master: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("asking the leading master: GET %s: %s", url, response.Status)
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, maxAnswer)).Decode(into); err != nil {
		return fmt.Errorf("reading the leading master's answer to GET %s: %w", url, err)
	}
	return nil
}
