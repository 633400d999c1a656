package masterclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"google.golang.org/protobuf/proto"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/agent"
	"github.com/mesos-operator/mesos-operator/internal/codec"
	"github.com/mesos-operator/mesos-operator/internal/recordio"
)

// maxIO bounds one record of a container's output.
const maxIO = 16 << 20

// Output is what a container writes.
type Output struct {
	body    io.Closer
	records *recordio.Reader
}

// Attach makes a call whose answer is a container's output:
// LAUNCH_NESTED_CONTAINER_SESSION or ATTACH_CONTAINER_OUTPUT. Hanging up ends a
// session's container.
func (c *Client) Attach(ctx context.Context, address string, call *agent.Call) (*Output, error) {
	header := http.Header{"Accept": {codec.RecordIO}, "Message-Accept": {codec.Protobuf}}
	r, err := c.post(ctx, c.scheme()+"://"+address+"/api/v1", call, header)
	if err == nil && r.StatusCode != http.StatusOK {
		err = statusError(r)
		r.Body.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("%s at agent %s: %w", call.GetType(), address, err)
	}
	return &Output{body: r.Body, records: recordio.NewReader(r.Body, maxIO)}, nil
}

// Next returns the next message, io.EOF once the container closed its output.
func (o *Output) Next() (*agent.ProcessIO, error) {
	record, err := o.records.Next()
	if err != nil {
		return nil, err
	}
	m := &agent.ProcessIO{}
	return m, codec.Unmarshal(codec.Protobuf, record, m)
}

// Close hangs up.
func (o *Output) Close() error { return o.body.Close() }

// AttachInput sends a container what next returns, until that ends with io.EOF, and
// returns when the agent has taken all of it.
func (c *Client) AttachInput(
	ctx context.Context, address string, id *mesos.ContainerID, next func(context.Context) (*agent.ProcessIO, error),
) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	body, records := io.Pipe()
	go func() { records.CloseWithError(sendInput(ctx, records, id, next)) }()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.scheme()+"://"+address+"/api/v1", body)
	if err != nil {
		return err
	}
	r.Header = http.Header{"Content-Type": {codec.RecordIO}, "Message-Content-Type": {codec.Protobuf}, "Accept": {codec.Protobuf}}
	c.authenticate(r)
	answer, err := c.http.Do(r)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = statusError(answer)
	}
	if answer != nil {
		answer.Body.Close()
	}
	if err != nil {
		return fmt.Errorf("ATTACH_CONTAINER_INPUT at agent %s: %w", address, err)
	}
	return nil
}

func sendInput(ctx context.Context, out io.Writer, id *mesos.ContainerID, next func(context.Context) (*agent.ProcessIO, error)) error {
	send := func(input *agent.Call_AttachContainerInput) error {
		payload, err := proto.Marshal(&agent.Call{Type: agent.Call_ATTACH_CONTAINER_INPUT.Enum(), AttachContainerInput: input})
		if err != nil {
			return err
		}
		_, err = out.Write(recordio.AppendRecord(nil, payload))
		return err
	}
	err := send(&agent.Call_AttachContainerInput{Type: agent.Call_AttachContainerInput_CONTAINER_ID.Enum(), ContainerId: id})
	for err == nil {
		var m *agent.ProcessIO
		if m, err = next(ctx); err != nil {
			break
		}
		err = send(&agent.Call_AttachContainerInput{Type: agent.Call_AttachContainerInput_PROCESS_IO.Enum(), ProcessIo: m})
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
