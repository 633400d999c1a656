package libprocess

import (
	"context"
	"fmt"
	"io"
	"net"
	"testing"
	"time"
)

// deaf takes messages and does nothing.
type deaf struct{}

func (deaf) Message(context.Context, Message) error { return nil }
func (deaf) Exited(context.Context, PID)            {}

// TestConnectionsForTheMainProcess: whoever comes for a process that isn't there
// is sent away, and only for that one.
func TestConnectionsForTheMainProcess(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address, err := ParseAddress(inner.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	n, err := NewNode(Config{Address: address, Main: "master"})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	l := n.Listener(inner)
	defer l.Close()
	// closed says whether a message ends its connection.
	closed := func(to string) bool {
		conn, err := net.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "POST /%s/X HTTP/1.1\r\nLibprocess-From: slave(1)@127.0.0.1:5\r\nUser-Agent: libprocess/x\r\n"+
			"Connection: Keep-Alive\r\nContent-Length: 0\r\n\r\n", to)
		conn.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
		_, err = conn.Read(make([]byte, 1))
		return err == io.EOF
	}
	if !closed("master") || closed("other") {
		t.Error("without the main process, its connections end and others don't")
	}
	p, err := n.Spawn("master", deaf{})
	if err != nil {
		t.Fatal(err)
	}
	if closed("master") {
		t.Error("a message for the main process ended the connection")
	}
	p.Terminate()
	if !closed("master") {
		t.Error("a message for the main process, which ended, did not end the connection")
	}
}
