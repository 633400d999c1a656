package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/mesos-operator/mesos-operator/api/mesos/mesosjson"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/executor"
	"github.com/mesos-operator/mesos-operator/internal/codec"
	"github.com/mesos-operator/mesos-operator/internal/recordio"
)

// maxEvent bounds one event: the largest is a LAUNCH, whose task may carry data.
const maxEvent = 64 << 20

// maxAnswer bounds what is read of an answer that refuses.
const maxAnswer = 4 << 10

// subscription subscribes and handles events until the stream ends. connected
// says that there was an agent that accepted it.
func (c *Client) subscription(ctx context.Context, handle func(*executor.Event)) (connected bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	resp, err := c.post(ctx, c.subscribeCall())
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return false, refusal(resp)
	}
	defer func() {
		c.setSubscribed(false)
		if c.cfg.OnDisconnect != nil {
			c.cfg.OnDisconnect()
		}
	}()
	records := recordio.NewReader(resp.Body, maxEvent)
	for {
		record, err := records.Next()
		if errors.Is(err, io.EOF) {
			return connected, errors.New("the agent ended the event stream")
		} else if err != nil {
			return connected, fmt.Errorf("reading events: %w", err)
		}
		e := &executor.Event{}
		if err := mesosjson.Unmarshal(record, e); err != nil {
			return connected, fmt.Errorf("reading an event: %w", err)
		}
		c.note(e)
		if e.GetType() == executor.Event_SUBSCRIBED {
			connected = true
			c.setSubscribed(true)
		}
		handle(e)
	}
}

func (c *Client) setSubscribed(subscribed bool) {
	c.mu.Lock()
	c.subscribed = subscribed
	if !subscribed {
		c.messages = nil
	}
	c.mu.Unlock()
	c.wakeUp()
}

// send is the one goroutine that sends calls, so that they keep their order.
func (c *Client) send(ctx context.Context) {
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	retry := time.NewTicker(max(c.cfg.RetryAfter/4, 10*time.Millisecond))
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.wake:
		case <-retry.C:
		case <-beat.C:
			if c.Subscribed() {
				_ = c.deliver(ctx, c.call(executor.Call_HEARTBEAT)) // the next one may arrive
			}
		}
		for call := c.next(); call != nil; call = c.next() {
			if err := c.deliver(ctx, call); err != nil {
				break // the end of the stream, or the next retry, has it sent again
			}
		}
	}
}

// next is the next call to send, nil for none.
func (c *Client) next() *executor.Call {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.subscribed {
		return nil
	}
	for _, p := range c.updates {
		if !p.sent || !c.now().Before(p.again) {
			c.sentNow(p)
			call := c.call(executor.Call_UPDATE)
			call.Update = p.update
			return call
		}
	}
	if len(c.messages) > 0 {
		call := c.call(executor.Call_MESSAGE)
		call.Message = &executor.Call_Message{Data: c.messages[0]}
		c.messages = c.messages[1:]
		return call
	}
	return nil
}

// deliver makes a call that is answered at once.
func (c *Client) deliver(ctx context.Context, call *executor.Call) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	resp, err := c.post(ctx, codec.AppendJSON(nil, call))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted {
		return refusal(resp)
	}
	_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer)) // so that the connection can be used again
	return err
}

// post speaks JSON. Protobuf makes tables of a message's fields when it meets its type, which
// costs a process that says so little a tenth of its life's processor time; the code for JSON
// is generated.
func (c *Client) post(ctx context.Context, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.cfg.URL, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", codec.JSON)
	req.Header.Set("Accept", codec.JSON)
	if c.cfg.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.cfg.Token)
	}
	return c.http.Do(req)
}

// refusal is the error of an answer that is no success.
func refusal(resp *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	return fmt.Errorf("the agent answered %s: %s", resp.Status, bytes.TrimSpace(text))
}

// newUUID is a random UUID as of RFC 4122, which agents insist on.
func newUUID() [16]byte {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return id
}
