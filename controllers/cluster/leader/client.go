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
}

// ErrNotLeading means that the master that answered does not lead.
var ErrNotLeading = errors.New("the master that answers does not lead")

// Client asks the master at a URL for its state.
type Client interface {
	State(ctx context.Context, url string) (State, error)
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
	http *http.Client
}

// NewHTTPClient makes a Client that gives each request the given time.
func NewHTTPClient(timeout time.Duration) *HTTPClient {
	return &HTTPClient{http: &http.Client{
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
	Elected      float64 `json:"master/elected"`
	ActiveAgents float64 `json:"master/slaves_active"`
}

// State implements Client.
func (c *HTTPClient) State(ctx context.Context, url string) (State, error) {
	var m metrics
	if err := c.get(ctx, url+"/metrics/snapshot", &m); err != nil {
		return State{}, err
	}
	if m.Elected != 1 {
		return State{}, ErrNotLeading
	}
	var v struct {
		Version string `json:"version"`
	}
	if err := c.get(ctx, url+"/version", &v); err != nil {
		return State{}, err
	}
	return State{Version: v.Version, ActiveAgents: int32(m.ActiveAgents)}, nil
}

func (c *HTTPClient) get(ctx context.Context, url string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("asking the leading master: %w", err)
	}
	request.Header.Set("Accept", "application/json")
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
