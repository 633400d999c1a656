package agentapi

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/google/uuid"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/agent"
	"github.com/mesos-operator/mesos-operator/internal/codec"
)

// farewell is how long what a command leaves behind may take to be removed.
const farewell = 10 * time.Second

// Run runs a command in a debug container below another, whose name begins with the
// prefix, and returns its wait status. When ctx ends the command is killed.
func (c *Client) Run(ctx context.Context, parent *mesos.ContainerID, prefix string, command *mesos.CommandInfo) (syscall.WaitStatus, error) {
	id := &mesos.ContainerID{Value: new(prefix + uuid.NewString()), Parent: parent}
	if err := c.session(ctx, id, command); err != nil {
		return 0, err
	}
	// It has ended; who is in a hurry still wants it gone.
	waiting, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	end, err := c.Wait(waiting, id)
	removal := c.Remove(waiting, id)
	switch {
	case ctx.Err() != nil:
		return 0, ctx.Err()
	case err != nil:
		return 0, err
	case end == nil || end.ExitStatus == nil:
		return 0, fmt.Errorf("nothing is known of the end of container %s", id.GetValue())
	}
	return syscall.WaitStatus(end.GetExitStatus()), removal
}

// session launches a debug container and follows its output, which nobody reads, to
// its end. When ctx ends the connection does, and with that the container.
func (c *Client) session(ctx context.Context, id *mesos.ContainerID, command *mesos.CommandInfo) error {
	resp, err := c.Post(ctx, &agent.Call{
		Type:                         agent.Call_LAUNCH_NESTED_CONTAINER_SESSION.Enum(),
		LaunchNestedContainerSession: &agent.Call_LaunchNestedContainerSession{ContainerId: id, Command: command},
	}, http.Header{"Accept": {codec.RecordIO}, "Message-Accept": {codec.Protobuf}})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer)) // what there is of it
		return &Refusal{Status: resp.StatusCode, Text: strings.TrimSpace(string(text))}
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil && ctx.Err() == nil {
		return fmt.Errorf("following the output of container %s: %w", id.GetValue(), err)
	}
	return nil
}
