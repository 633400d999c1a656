// Package client speaks the v1 executor API to an agent: it subscribes,
// subscribes again when the connection is lost or the agent restarted, and
// sees to it that status updates arrive. Executors are made with it: ours are in
// packages above.
//
// # What must not be lost
//
// A task is unacknowledged from LAUNCH until an update of it is acknowledged, an
// update until its acknowledgement. Both are told with each subscription, so
// that an agent that restarted knows them again. An update also is sent by
// itself: once while the subscription lasts, and again if no acknowledgement
// comes. The agent knows repeated ones by their UUID.
package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/executor"
	"github.com/mesos-operator/mesos-operator/internal/codec"
)

// ErrAgentGone is wrapped by the error with which Run ends when the agent was
// away too long, or at all if the executor is not to outlive it.
var ErrAgentGone = errors.New("the agent is gone")

// heartbeat is how often the agent is told that the executor is alive, Mesos's
// interval: it keeps what is between them from forgetting the connection.
const heartbeat = 30 * time.Minute

// Client is an executor's connection to its agent.
type Client struct {
	cfg  Config
	http *http.Client
	now  func() time.Time
	// wake tells the sender that there is something to send.
	wake chan struct{}

	mu sync.Mutex
	// subscribed says that calls may be sent.
	subscribed bool
	tasks      []*mesos.TaskInfo
	updates    []*pending
	messages   [][]byte
}

// pending is an update without acknowledgement.
type pending struct {
	update *executor.Call_Update
	// sent says that the agent has got it in this subscription, so far as we know.
	sent bool
	// again is when to send it again, and backoff how long to wait then.
	again   time.Time
	backoff time.Duration
}

// New returns a client that does nothing before Run.
func New(cfg Config) *Client {
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	dial := dialer.DialContext
	if cfg.Socket != "" {
		dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", cfg.Socket)
		}
	}
	transport := &http.Transport{
		DialContext:         dial,
		MaxIdleConnsPerHost: 1, // for calls, beside the connection with the events
		ReadBufferSize:      1 << 10,
		WriteBufferSize:     1 << 10,
		DisableCompression:  true,
		// An agent that accepts a connection and then says nothing is no agent.
		ResponseHeaderTimeout: time.Minute,
	}
	cfg.TLS.Transport(transport, dial)
	return &Client{
		cfg:  cfg,
		http: &http.Client{Transport: transport},
		now:  time.Now,
		wake: make(chan struct{}, 1),
	}
}

// Run subscribes and calls handle for each event, one after the other, until
// ctx ends or the agent is gone (ErrAgentGone).
func (c *Client) Run(ctx context.Context, handle func(*executor.Event)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go c.send(ctx)
	lost := c.now() // of an agent that is not there from the beginning: since now
	for attempt := 0; ; attempt++ {
		connected, err := c.subscription(ctx, handle)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if connected {
			lost, attempt = c.now(), 0
		}
		if !c.cfg.Checkpoint {
			return fmt.Errorf("%w: %w", ErrAgentGone, err)
		}
		if c.now().Sub(lost) > c.cfg.RecoveryTimeout {
			return fmt.Errorf("%w for %v: %w", ErrAgentGone, c.cfg.RecoveryTimeout, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(c.backoff(attempt)):
		}
	}
}

// Start is Run in a goroutine of its own. Events come one after the other, each when
// the one before was taken; gone gets what Run returns.
func (c *Client) Start(ctx context.Context) (<-chan *executor.Event, <-chan error) {
	events, gone := make(chan *executor.Event), make(chan error, 1)
	go func() {
		gone <- c.Run(ctx, func(e *executor.Event) {
			select {
			case events <- e:
			case <-ctx.Done():
			}
		})
	}()
	return events, gone
}

// backoff spreads the executors of an agent that comes back. The most that the agent
// allows is as long as it waits for them: who paused for so long could come too late
// without having done anything wrong. So it begins with an eighth of that, and ends
// with half, which leaves room for an attempt that fails. A tenth of a second at
// least keeps one of them from trying in a tight loop.
func (c *Client) backoff(attempt int) time.Duration {
	most := min(c.cfg.BackoffMax/8<<min(attempt, 2), c.cfg.BackoffMax/2)
	return 100*time.Millisecond + rand.N(max(most, time.Millisecond))
}

// Update sends a status update of a task, now or when there is an agent. It
// completes the status with what every update has.
func (c *Client) Update(status *mesos.TaskStatus) {
	id := newUUID()
	status.Uuid = id[:]
	status.ExecutorId = &mesos.ExecutorID{Value: &c.cfg.ExecutorID}
	status.Source = mesos.TaskStatus_SOURCE_EXECUTOR.Enum()
	status.Timestamp = new(float64(c.now().UnixNano()) / 1e9)
	c.mu.Lock()
	c.updates = append(c.updates, &pending{
		update:  &executor.Call_Update{Status: status},
		backoff: c.cfg.RetryAfter,
	})
	c.mu.Unlock()
	c.wakeUp()
}

// Message sends a message to the framework, if it can be sent now; there is no
// promise for messages.
func (c *Client) Message(data []byte) {
	c.mu.Lock()
	if c.subscribed {
		c.messages = append(c.messages, data)
	}
	c.mu.Unlock()
	c.wakeUp()
}

// Subscribed says whether there is an agent at the moment.
func (c *Client) Subscribed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.subscribed
}

// Unacknowledged is the number of updates that the agent has not acknowledged.
func (c *Client) Unacknowledged() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.updates)
}

func (c *Client) wakeUp() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// note keeps book of what is unacknowledged.
func (c *Client) note(e *executor.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch e.GetType() {
	case executor.Event_LAUNCH:
		c.tasks = append(c.tasks, e.GetLaunch().GetTask())
	case executor.Event_LAUNCH_GROUP:
		c.tasks = append(c.tasks, e.GetLaunchGroup().GetTaskGroup().GetTasks()...)
	case executor.Event_ACKNOWLEDGED:
		c.acknowledged(e.GetAcknowledged())
	}
}

func (c *Client) acknowledged(a *executor.Event_Acknowledged) {
	kept := c.updates[:0]
	for _, p := range c.updates {
		if string(p.update.GetStatus().GetUuid()) != string(a.GetUuid()) {
			kept = append(kept, p)
		}
	}
	clear(c.updates[len(kept):])
	c.updates = kept
	tasks := c.tasks[:0]
	for _, t := range c.tasks {
		if t.GetTaskId().GetValue() != a.GetTaskId().GetValue() {
			tasks = append(tasks, t)
		}
	}
	clear(c.tasks[len(tasks):])
	c.tasks = tasks
}

// call makes a call of a type.
func (c *Client) call(t executor.Call_Type) *executor.Call {
	return &executor.Call{
		Type:        t.Enum(),
		FrameworkId: &mesos.FrameworkID{Value: &c.cfg.FrameworkID},
		ExecutorId:  &mesos.ExecutorID{Value: &c.cfg.ExecutorID},
	}
}

// subscribeCall encodes the call that tells all that is unacknowledged.
func (c *Client) subscribeCall() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := &executor.Call_Subscribe{UnacknowledgedTasks: c.tasks}
	for _, p := range c.updates {
		s.UnacknowledgedUpdates = append(s.UnacknowledgedUpdates, p.update)
		c.sentNow(p)
	}
	call := c.call(executor.Call_SUBSCRIBE)
	call.Subscribe = s
	return codec.AppendJSON(nil, call)
}

func (c *Client) sentNow(p *pending) {
	p.sent = true
	p.again = c.now().Add(p.backoff)
	p.backoff = min(2*p.backoff, 10*time.Minute)
}
