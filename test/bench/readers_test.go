package bench

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
	"github.com/mesos-operator/mesos-operator/internal/libprocess"
	"github.com/mesos-operator/mesos-operator/internal/libprocess/typed"
	"github.com/mesos-operator/mesos-operator/internal/recordio"
	"github.com/mesos-operator/mesos-operator/internal/resources"
	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// changerTasks is how many tasks a changer has.
const changerTasks = 1000

// changer is an agent whose tasks go back and forth between two states.
type changer struct {
	b         *testing.B
	process   *libprocess.Process
	master    libprocess.PID
	framework *mesos.FrameworkInfo
	id        *mesos.AgentID
	changes   int
}

func newChanger(b *testing.B, master *testbed.Master, f *mesos.FrameworkInfo) *changer {
	b.Helper()
	c := &changer{b: b, framework: f, id: &mesos.AgentID{Value: new("changer-S0")}}
	c.process, c.master = newAgentProcess(b, master)
	info := agentInfo(1<<20, c.id)
	info.Resources = resources.MustParse(fmt.Sprintf("cpus:%g;mem:%d", 0.5*changerTasks, 512*changerTasks)).Proto()
	m := &messages.ReregisterSlaveMessage{
		Slave: info, Version: new("1.11.0"), AgentCapabilities: capabilities(), Frameworks: []*mesos.FrameworkInfo{f},
		ResourceVersionUuid: &mesos.UUID{Value: make([]byte, 16)},
	}
	for i := range changerTasks {
		m.Tasks = append(m.Tasks, taskIn(mesos.TaskState_TASK_RUNNING, changerTask(i), c.id, f))
	}
	c.send(m)
	return c
}

func changerTask(i int) string { return fmt.Sprintf("changing.instance-%d", i%changerTasks) }

// newAgentProcess is a process that answers the master's pings and nothing else.
func newAgentProcess(b *testing.B, master *testbed.Master) (*libprocess.Process, libprocess.PID) {
	b.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	node, err := libprocess.NewNode(libprocess.Config{Address: libprocess.AddressFrom(netip.MustParseAddrPort(listener.Addr().String()))})
	if err != nil {
		b.Fatal(err)
	}
	var process *libprocess.Process
	mux := typed.NewMux()
	typed.Handle(mux, func(_ context.Context, from libprocess.PID, _ *messages.PingSlaveMessage) error {
		return typed.Send(process, from, &messages.PongSlaveMessage{})
	})
	if process, err = node.Spawn("slave(1)", libprocess.HandlerFuncs{OnMessage: mux.Message}); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = node.Close() })
	incoming := node.Listener(listener)
	go func() { // nobody speaks HTTP to it
		for {
			conn, err := incoming.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
	pid, err := libprocess.ParsePID("master@" + master.Address)
	if err != nil {
		b.Fatal(err)
	}
	return process, pid
}

func (c *changer) send(m proto.Message) {
	c.b.Helper()
	if err := typed.Send(c.process, c.master, m); err != nil {
		c.b.Fatal(err)
	}
}

// change sends n updates.
func (c *changer) change(n int) {
	c.b.Helper()
	for range n {
		s := mesos.TaskState_TASK_STARTING
		if c.changes/changerTasks%2 == 1 {
			s = mesos.TaskState_TASK_RUNNING
		}
		c.send(c.update(changerTask(c.changes), s))
		c.changes++
	}
}

func (c *changer) update(task string, s mesos.TaskState) *messages.StatusUpdateMessage {
	id := uuid.New()
	now := float64(time.Now().UnixMicro()) / 1e6
	return &messages.StatusUpdateMessage{
		Pid: new(c.process.PID().String()),
		Update: &messages.StatusUpdate{
			FrameworkId: c.framework.Id, SlaveId: c.id, Timestamp: &now, Uuid: id[:], LatestState: s.Enum(),
			Status: &mesos.TaskStatus{
				TaskId: &mesos.TaskID{Value: &task}, State: s.Enum(), AgentId: c.id, Timestamp: &now, Uuid: id[:],
				Source: mesos.TaskStatus_SOURCE_EXECUTOR.Enum(),
				ContainerStatus: &mesos.ContainerStatus{
					ContainerId: &mesos.ContainerID{Value: new("5823165e-2a19-4db5-b637-5499d29d2b08")},
					NetworkInfos: []*mesos.NetworkInfo{{IpAddresses: []*mesos.NetworkInfo_IPAddress{{
						Protocol: mesos.NetworkInfo_IPv4.Enum(), IpAddress: new("10.0.0.1")}}}},
				},
			},
		},
	}
}

// offerLoop is a framework that declines what it is offered and waits for the
// next offer: of an agent whose resources are reserved for its role.
type offerLoop struct {
	master *testbed.Master
	id     *mesos.FrameworkID
	stream string
	offers chan *mesos.Offer
	held   *mesos.Offer
}

func newOfferLoop(b *testing.B, master *testbed.Master) *offerLoop {
	b.Helper()
	l := &offerLoop{master: master, offers: make(chan *mesos.Offer, 16)}
	info := framework("prober")
	info.Roles = []string{"probe"}
	body, err := proto.Marshal(&scheduler.Call{
		Type: scheduler.Call_SUBSCRIBE.Enum(), Subscribe: &scheduler.Call_Subscribe{FrameworkInfo: info}})
	if err != nil {
		b.Fatal(err)
	}
	request, err := http.NewRequest(http.MethodPost, master.URL("/api/v1/scheduler"), bytes.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	request.Header = http.Header{"Content-Type": {"application/x-protobuf"}, "Accept": {"application/x-protobuf"}}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { response.Body.Close() })
	if response.StatusCode != http.StatusOK {
		b.Fatalf("SUBSCRIBE: %s", response.Status)
	}
	l.stream = response.Header.Get("Mesos-Stream-Id")
	subscribed := make(chan *mesos.FrameworkID, 1)
	go l.read(recordio.NewReader(response.Body, 1<<20), subscribed)
	select {
	case l.id = <-subscribed:
	case <-time.After(testbed.Patience):
		b.Fatal("the framework is not subscribed")
	}

	process, pid := newAgentProcess(b, master)
	agent := agentInfo(1<<21, nil)
	agent.Resources = resources.MustParse("cpus:4;mem:4096").Proto()
	for _, r := range agent.Resources {
		r.Reservations = []*mesos.Resource_ReservationInfo{{
			Type: mesos.Resource_ReservationInfo_STATIC.Enum(), Role: new("probe")}}
	}
	if err := typed.Send(process, pid, &messages.RegisterSlaveMessage{
		Slave: agent, Version: new("1.11.0"), AgentCapabilities: capabilities(),
		ResourceVersionUuid: &mesos.UUID{Value: make([]byte, 16)},
	}); err != nil {
		b.Fatal(err)
	}
	return l
}

func (l *offerLoop) read(events *recordio.Reader, subscribed chan<- *mesos.FrameworkID) {
	defer close(l.offers)
	for {
		record, err := events.Next()
		if err != nil {
			return
		}
		e := &scheduler.Event{}
		if proto.Unmarshal(record, e) != nil {
			return
		}
		if e.GetType() == scheduler.Event_SUBSCRIBED {
			subscribed <- e.Subscribed.FrameworkId
		}
		for _, o := range e.GetOffers().GetOffers() {
			l.offers <- o
		}
	}
}

// turn declines the offer that is held, and waits for another one.
func (l *offerLoop) turn(ctx context.Context) (int64, error) {
	if l.held != nil {
		if err := l.decline(ctx, l.held); err != nil {
			return 0, err
		}
	}
	select {
	case o, ok := <-l.offers:
		if !ok {
			return 0, fmt.Errorf("the stream of the framework ended")
		}
		l.held = o
		return 0, nil
	case <-time.After(testbed.Patience):
		return 0, fmt.Errorf("no offer comes")
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

func (l *offerLoop) decline(ctx context.Context, o *mesos.Offer) error {
	body, err := proto.Marshal(&scheduler.Call{
		Type: scheduler.Call_DECLINE.Enum(), FrameworkId: l.id,
		Decline: &scheduler.Call_Decline{OfferIds: []*mesos.OfferID{o.Id}, Filters: &mesos.Filters{RefuseSeconds: new(0.0)}},
	})
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, l.master.URL("/api/v1/scheduler"), bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header = http.Header{"Content-Type": {"application/x-protobuf"}, "Mesos-Stream-Id": {l.stream}}
	response, err := uncompressed.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusAccepted {
		return fmt.Errorf("DECLINE: %s", response.Status)
	}
	return nil
}
