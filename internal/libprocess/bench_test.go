package libprocess

import (
	"context"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
)

// BenchmarkMessages is one sender and one receiver over the loopback interface.
func BenchmarkMessages(b *testing.B) {
	for _, size := range []int{0, 300, 10_000, 1 << 20} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			from, to := testNode(b), testNode(b)
			window := make(chan struct{}, min(1000, 64<<20/(size+1)))
			receiver, err := to.Spawn("slave(1)", HandlerFuncs{OnMessage: func(context.Context, Message) error {
				<-window
				return nil
			}})
			if err != nil {
				b.Fatal(err)
			}
			sender, _ := spawn(b, from, "master")
			body := make([]byte, size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				window <- struct{}{}
				if err := sender.Send(receiver.PID(), "mesos.internal.PingSlaveMessage", body); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
		})
	}
}

// BenchmarkRoundTrip is the latency of a message and its answer.
func BenchmarkRoundTrip(b *testing.B) {
	here, there := testNode(b), testNode(b)
	pinger, pong := spawn(b, here, "ping")
	var ponger *Process
	ponger, err := there.Spawn("pong", HandlerFuncs{OnMessage: func(_ context.Context, m Message) error {
		return ponger.Send(m.From, "Pong", m.Body)
	}})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := pinger.Send(ponger.PID(), "Ping", nil); err != nil {
			b.Fatal(err)
		}
		<-pong.messages
	}
}

// BenchmarkReadMessages is the cost of parsing alone.
func BenchmarkReadMessages(b *testing.B) {
	raw := genuine("slave(1)", "mesos.internal.PingSlaveMessage", "master@10.0.0.1:5050", "10.0.0.2:5051", strings.Repeat("x", 300))
	b.ReportAllocs()
	b.SetBytes(int64(len(raw)))
	src := &endless{raw: raw}
	n := &Node{cfg: Config{}.withDefaults()}
	c := &inbound{node: n, reader: reader{src: src, limit: n.cfg.MaxHeaderBytes}}
	for b.Loop() {
		body := &body{limit: 1 << 20, total: &n.receiving, maxTotal: 1 << 20}
		if _, _, err := c.next(body); err != nil {
			b.Fatal(err)
		}
		body.release()
	}
}

type endless struct {
	raw string
	at  int
}

func (e *endless) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		c := copy(p[n:], e.raw[e.at:])
		n, e.at = n+c, (e.at+c)%len(e.raw)
	}
	return n, nil
}

var _ io.Reader = (*endless)(nil)

// BenchmarkIdleConnections is the memory that a silent connection costs once it
// carried a message, without the kernel's.
func BenchmarkIdleConnections(b *testing.B) {
	const connections = 2000
	b.Run("in", func(b *testing.B) {
		for b.Loop() {
			n := testNode(b)
			_, got := spawn(b, n, "master")
			raw := genuine("master", "Ping", "s@127.0.0.1:1", "h", strings.Repeat("x", 1000))
			before := memory()
			for range connections {
				request(b, n, raw)
				receive(b, got.messages)
			}
			b.ReportMetric(float64(memory()-before)/connections, "B/connection")
		}
	})
	b.Run("out", func(b *testing.B) {
		for b.Loop() {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			defer listener.Close()
			network := &pipes{accepted: make(chan net.Conn, connections)}
			from := testNode(b, func(c *Config) { c.Dial = network.dial })
			master, _ := spawn(b, from, "master")
			before := memory()
			for i := range connections {
				must(b, master.Link(PID{ID: "slave(1)", Address: Address{Host: "h", Port: uint16(i + 1)}}, Reuse))
			}
			for range connections {
				receive(b, network.accepted)
			}
			b.ReportMetric(float64(memory()-before)/connections, "B/connection")
		}
	})
}

func memory() int64 {
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return int64(s.HeapInuse + s.StackInuse)
}
