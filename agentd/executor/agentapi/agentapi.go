// Package agentapi makes the calls of the agent API that an executor needs for
// containers nested in its own: launch, wait, kill, remove.
//
// The agent may be away while it is upgraded or after a crash, and it finds its
// containers again: a call whose answer doesn't come is made again until it does.
// All of these calls may be repeated.
package agentapi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/mesos-operator/mesos-operator/agentd/executor/client"
	"github.com/mesos-operator/mesos-operator/api/mesos/mesosjson"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/agent"
	"github.com/mesos-operator/mesos-operator/internal/codec"
)

// maxAnswer bounds an answer: the largest tells how a container ended.
const maxAnswer = 1 << 20

// Client makes calls to one agent. Its methods may be called from any goroutine.
type Client struct {
	url, token string
	http       *http.Client
}

// New returns a client for the agent that an executor was told of.
func New(cfg client.Config) *Client {
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	dial := dialer.DialContext
	if cfg.Socket != "" {
		dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", cfg.Socket)
		}
	}
	transport := &http.Transport{
		DialContext: dial, MaxIdleConnsPerHost: 1, DisableCompression: true,
		IdleConnTimeout: time.Minute,
		ReadBufferSize:  1 << 10, WriteBufferSize: 1 << 10,
	}
	cfg.TLS.Transport(transport, dial)
	return &Client{
		url:   strings.TrimSuffix(cfg.URL, "/executor"),
		token: cfg.Token,
		http:  &http.Client{Transport: transport},
	}
}

// Refusal is an answer that is no success.
type Refusal struct {
	// Status is the HTTP status.
	Status int
	// Text is what the agent has to say.
	Text string
}

// Error implements error.
func (r *Refusal) Error() string { return r.Text }

// Launch launches a container. One that was launched already, by a call whose answer
// got lost, is no error.
func (c *Client) Launch(ctx context.Context, l *agent.Call_LaunchContainer) error {
	_, err := c.insist(ctx, &agent.Call{Type: agent.Call_LAUNCH_CONTAINER.Enum(), LaunchContainer: l})
	return err
}

// Wait returns how a container ended, nil if the agent knows of none.
func (c *Client) Wait(ctx context.Context, id *mesos.ContainerID) (*agent.Response_WaitNestedContainer, error) {
	answer, err := c.insist(ctx, &agent.Call{
		Type:                agent.Call_WAIT_NESTED_CONTAINER.Enum(),
		WaitNestedContainer: &agent.Call_WaitNestedContainer{ContainerId: id},
	})
	if r, ok := errors.AsType[*Refusal](err); ok && r.Status == http.StatusNotFound {
		return nil, nil
	}
	return answer.GetWaitNestedContainer(), err
}

// Kill signals a container. One that has ended is no error.
func (c *Client) Kill(ctx context.Context, id *mesos.ContainerID, signal syscall.Signal) error {
	_, err := c.insist(ctx, &agent.Call{
		Type:                agent.Call_KILL_NESTED_CONTAINER.Enum(),
		KillNestedContainer: &agent.Call_KillNestedContainer{ContainerId: id, Signal: new(int32(signal))},
	})
	if r, ok := errors.AsType[*Refusal](err); ok && r.Status == http.StatusNotFound {
		return nil
	}
	return err
}

// Remove has the agent forget a container that has ended.
func (c *Client) Remove(ctx context.Context, id *mesos.ContainerID) error {
	_, err := c.insist(ctx, &agent.Call{
		Type:                  agent.Call_REMOVE_NESTED_CONTAINER.Enum(),
		RemoveNestedContainer: &agent.Call_RemoveNestedContainer{ContainerId: id},
	})
	return err
}

// Pauses between attempts to reach an agent that is away.
const (
	minPause = 50 * time.Millisecond
	maxPause = 2 * time.Second
)

// insist makes a call until it is answered by an agent that has recovered.
func (c *Client) insist(ctx context.Context, call *agent.Call) (*agent.Response, error) {
	for pause := minPause; ; pause = min(2*pause, maxPause) {
		answer, err := c.once(ctx, call)
		r, refused := errors.AsType[*Refusal](err)
		if err == nil || refused && r.Status != http.StatusServiceUnavailable || ctx.Err() != nil {
			return answer, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause/2 + rand.N(pause)):
		}
	}
}

func (c *Client) once(ctx context.Context, call *agent.Call) (*agent.Response, error) {
	resp, err := c.Post(ctx, call, http.Header{"Accept": {codec.JSON}})
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("reading the agent's answer: %w", err)
	}
	switch {
	case resp.StatusCode == http.StatusAccepted:
		return nil, nil
	case resp.StatusCode != http.StatusOK:
		return nil, &Refusal{Status: resp.StatusCode, Text: strings.TrimSpace(string(body))}
	case len(body) == 0:
		return nil, nil
	}
	answer := &agent.Response{}
	if err := mesosjson.Unmarshal(body, answer); err != nil {
		return nil, &Refusal{Status: resp.StatusCode, Text: "reading the agent's answer: " + err.Error()}
	}
	return answer, nil
}

// Post makes a call in JSON, for the reason that package client has, and returns whatever is answered.
func (c *Client) Post(ctx context.Context, call *agent.Call, header http.Header) (*http.Response, error) {
	body := codec.AppendJSON(nil, call)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header = header
	req.Header.Set("Content-Type", codec.JSON)
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	return c.http.Do(req)
}
