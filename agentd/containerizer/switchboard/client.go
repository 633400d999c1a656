package switchboard

import (
	"context"
	"fmt"
	"io"
	"net"
)

// Output attaches to the output of a container. Frames come until the connection ends.
func Output(ctx context.Context, dir, id string) (net.Conn, error) {
	return attach(ctx, dir, id, wantOutput)
}

// Input attaches to its input: ErrBusy if somebody is.
func Input(ctx context.Context, dir, id string) (*InputConn, error) {
	conn, err := attach(ctx, dir, id, wantInput)
	if err != nil {
		return nil, err
	}
	c := &InputConn{conn: conn, result: make(chan error, 1)}
	go c.await()
	return c, nil
}

func attach(ctx context.Context, dir, id string, want byte) (net.Conn, error) {
	var conn net.Conn
	err := reach(Socket(dir, id), func(name string) error {
		var err error
		conn, err = (&net.Dialer{}).DialContext(ctx, "unix", name)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reaching the switchboard: %w", err)
	}
	answer := []byte{0}
	if _, err := conn.Write([]byte{want}); err == nil {
		_, err = io.ReadFull(conn, answer)
		if err == nil && answer[0] == accepted {
			return conn, nil
		}
	}
	conn.Close()
	if answer[0] == busy {
		return nil, ErrBusy
	}
	return nil, io.EOF // it is about to end
}

// InputConn is a connection to a container's input.
type InputConn struct {
	conn   net.Conn
	result chan error
}

// await hears what became of the input.
func (c *InputConn) await() {
	answer := []byte{done}
	if _, err := io.ReadFull(c.conn, answer); err == nil && answer[0] == failed {
		c.result <- ErrInput
		return
	}
	c.result <- nil // it is done, or the container has ended
}

// Send sends a frame.
func (c *InputConn) Send(f Frame) error { return WriteFrame(c.conn, f) }

// End says that no more will come.
func (c *InputConn) End() error {
	if half, ok := c.conn.(*net.UnixConn); ok {
		return half.CloseWrite()
	}
	return nil
}

// Result has nil once all is passed on or the container has ended, or ErrInput.
func (c *InputConn) Result() <-chan error { return c.result }

// Close ends the connection.
func (c *InputConn) Close() error { return c.conn.Close() }
