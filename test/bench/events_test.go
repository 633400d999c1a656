package bench

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	mesosmaster "github.com/mesos-operator/mesos-operator/api/mesos/v1/master"
	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// What BenchmarkEvents measures with.
const (
	eventSubscribers = 1000
	eventUpdates     = 10_000
	eventTail        = 4 << 10 // is longer than the last event and a heartbeat behind it
	eventBuffer      = eventTail + 64<<10
)

// BenchmarkEvents is how long it takes until every subscriber of the operator
// API has the events of all updates, from the first update that an agent sends.
// The subscribers look at their bytes only as far as to find the end: all of
// this shares the cores with the master.
func BenchmarkEvents(b *testing.B) {
	for _, encoding := range []string{"application/x-protobuf", "application/json"} {
		b.Run(encoding[len("application/"):], func(b *testing.B) {
			for b.Loop() {
				measureEvents(b, encoding)
			}
		})
	}
}

func measureEvents(b *testing.B, encoding string) {
	master := testbed.StartMaster(b)
	f := framework("changing")
	subscribe(b, master, f)
	c := newChanger(b, master, f)
	expect(b, master, 1, changerTasks)
	body, err := proto.Marshal(&mesosmaster.Call{Type: mesosmaster.Call_SUBSCRIBE.Enum()})
	if err != nil {
		b.Fatal(err)
	}
	const last = "the last of all" // in the message of the last update
	subscribers := make([]*watcher, eventSubscribers)
	for i := range subscribers {
		if subscribers[i], err = watch(master.Address, encoding, body, last); err != nil {
			b.Fatal(err)
		}
	}
	before := memoryOf(b, master, "VmRSS")
	cpu := cpuOf(b, master.PID())
	var work sync.WaitGroup
	for _, s := range subscribers {
		work.Go(func() { s.read() })
	}
	time.Sleep(time.Second) // the snapshots are there

	begin := time.Now()
	c.change(eventUpdates)
	end := c.update(changerTask(0), mesos.TaskState_TASK_KILLING)
	end.Update.Status.Message = new(last)
	c.send(end)
	sent := time.Since(begin)
	work.Wait()
	took := time.Since(begin)
	var sum int64
	for _, s := range subscribers {
		if s.err != nil {
			b.Fatal(s.err)
		}
		sum += s.bytes
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(sent.Seconds(), "sent-s")
	b.ReportMetric(took.Seconds(), "all-have-it-s")
	b.ReportMetric((cpuOf(b, master.PID()) - cpu).Seconds(), "master-cpu-s")
	b.ReportMetric(float64(sum)/1e9, "GB")
	b.ReportMetric(float64((memoryOf(b, master, "VmHWM")-before)>>20), "MiB-more")
}

// watcher is a subscriber on a socket of its own.
type watcher struct {
	conn  net.Conn
	until []byte
	bytes int64
	err   error
}

func watch(address, encoding string, call []byte, until string) (*watcher, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	_, err = fmt.Fprintf(conn, "POST /api/v1 HTTP/1.1\r\nHost: master\r\nAccept: %s\r\nContent-Type: application/x-protobuf\r\nContent-Length: %d\r\n\r\n%s",
		encoding, len(call), call)
	return &watcher{conn: conn, until: []byte(until)}, err
}

// read reads until the end that it waits for. Only the last of what has arrived is
// searched for it: to look at each byte costs more than all that the master does.
func (w *watcher) read() {
	defer w.conn.Close()
	_ = w.conn.SetReadDeadline(time.Now().Add(testbed.Patience))
	buffer := make([]byte, eventBuffer)
	kept := 0 // of the bytes before, in which the end may have begun
	for {
		n, err := w.conn.Read(buffer[kept:])
		w.bytes += int64(n)
		last := buffer[max(0, kept+n-eventTail) : kept+n]
		if bytes.Contains(last, w.until) {
			return
		}
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = errors.New("the stream ended: the subscriber was cut off")
			}
			w.err = err
			return
		}
		kept = copy(buffer, last)
	}
}
