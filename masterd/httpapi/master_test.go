package httpapi_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/uuid"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
	"github.com/mesos-operator/mesos-operator/internal/codec"
	"github.com/mesos-operator/mesos-operator/internal/files"
	"github.com/mesos-operator/mesos-operator/internal/httpserver"
	"github.com/mesos-operator/mesos-operator/internal/libprocess"
	"github.com/mesos-operator/mesos-operator/internal/logging"
	"github.com/mesos-operator/mesos-operator/internal/metrics"
	"github.com/mesos-operator/mesos-operator/internal/recordio"
	"github.com/mesos-operator/mesos-operator/internal/resources"
	"github.com/mesos-operator/mesos-operator/internal/testkit/stubagent"
	"github.com/mesos-operator/mesos-operator/masterd/allocator"
	"github.com/mesos-operator/mesos-operator/masterd/allocator/constraint"
	"github.com/mesos-operator/mesos-operator/masterd/engine"
	"github.com/mesos-operator/mesos-operator/masterd/httpapi"
	"github.com/mesos-operator/mesos-operator/masterd/registry/memory"
	"github.com/mesos-operator/mesos-operator/masterd/state"
)

const patience = 20 * time.Second

// master is a whole master in this process: engine, machine, allocator and
// registry as they are, behind a real port.
type master struct {
	t      *testing.T
	url    string
	pid    libprocess.PID
	info   *mesos.MasterInfo
	engine atomic.Pointer[engine.Engine]
	leader atomic.Pointer[mesos.MasterInfo]
	resign context.CancelFunc
	ended  chan error
	files  *files.Files
	store  *memory.Store
}

// options change a master before it starts.
type options struct {
	engine func(*engine.Config)
	// follow keeps it from leading.
	follow bool
}

func domain() *mesos.DomainInfo {
	return &mesos.DomainInfo{FaultDomain: &mesos.DomainInfo_FaultDomain{
		Region: &mesos.DomainInfo_FaultDomain_RegionInfo{Name: new("eu")},
		Zone:   &mesos.DomainInfo_FaultDomain_ZoneInfo{Name: new("eu-1")},
	}}
}

func start(t *testing.T, o options) *master {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := libprocess.AddressFrom(netip.MustParseAddrPort(listener.Addr().String()))
	node, err := libprocess.NewNode(libprocess.Config{Address: address})
	if err != nil {
		t.Fatal(err)
	}
	m := &master{t: t, url: "http://" + address.String(), pid: libprocess.PID{ID: "master", Address: address}, ended: make(chan error, 1), store: memory.New(), files: files.New()}
	m.info = &mesos.MasterInfo{
		Id: new(uuid.NewString()), Ip: new(uint32(16777343)), Port: new(uint32(address.Port)), Pid: new(m.pid.String()),
		Hostname: new("master.example"), Version: new("1.11.0"), Domain: domain(),
		Address: &mesos.Address{Hostname: new("master.example"), Ip: new("127.0.0.1"), Port: new(int32(address.Port))},
		Capabilities: []*mesos.MasterInfo_Capability{
			{Type: mesos.MasterInfo_Capability_AGENT_UPDATE.Enum()}, {Type: mesos.MasterInfo_Capability_AGENT_DRAINING.Enum()},
			{Type: mesos.MasterInfo_Capability_QUOTA_V2.Enum()},
		},
	}
	m.leader.Store(m.info)
	serve(t, m, node, listener)
	if !o.follow {
		m.lead(node, o)
	}
	return m
}

func serve(t *testing.T, m *master, node *libprocess.Node, listener net.Listener) {
	t.Helper()
	logs, err := logging.New(logging.Config{Quiet: true})
	if err != nil {
		t.Fatal(err)
	}
	api, err := httpapi.New(httpapi.Config{
		Self: m.info, Leader: m.leader.Load, Engine: m.engine.Load, Registry: m.store.Snapshot,
		Flags: map[string]string{"cluster": "golden", "port": "5050"}, Cluster: "golden", PerFrameworkMetrics: true,
		Started: time.Now(), Metrics: metrics.NewRegistry(), Files: m.files, Verbosity: logs.Verbosity, Log: logr.Discard(),
	})
	if err != nil {
		t.Fatal(err)
	}
	router := httpserver.NewRouter(httpapi.Process)
	api.Register(router)
	server := httpserver.New(httpserver.Config{Handler: router, Node: node, ShutdownTimeout: 100 * time.Millisecond})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx, listener) }()
	t.Cleanup(func() {
		if m.resign != nil {
			m.resign()
			<-m.ended
		}
		cancel()
		<-done
		node.Close()
	})
}

func (m *master) lead(node *libprocess.Node, o options) {
	m.t.Helper()
	term, reg, err := m.store.Lead(m.t.Context(), m.info)
	if err != nil {
		m.t.Fatal(err)
	}
	alloc, err := allocator.New(allocator.DefaultConfig())
	if err != nil {
		m.t.Fatal(err)
	}
	cfg := engine.Config{
		Machine:   state.New(state.DefaultConfig(m.info)),
		Allocator: engine.Bridge(alloc, constraint.DefaultLimits, logr.Discard()),
		Term:      term, Registry: reg, Node: node, AllocationInterval: 50 * time.Millisecond,
	}
	if o.engine != nil {
		o.engine(&cfg)
	}
	e, err := engine.New(cfg)
	if err != nil {
		m.t.Fatal(err)
	}
	m.engine.Store(e)
	var ctx context.Context
	ctx, m.resign = context.WithCancel(context.Background())
	go func() { m.ended <- e.Run(ctx) }()
}

// agent starts a stub that offers what the golden files' agent has.
func (m *master) agent() *stubagent.Agent {
	m.t.Helper()
	rs, err := resources.ParseProto("cpus:4;mem:4096;disk:10240;ports:[31000-32000]", "*")
	if err != nil {
		m.t.Fatal(err)
	}
	a, err := stubagent.Start(stubagent.Config{Master: m.pid, Info: &mesos.AgentInfo{
		Hostname: new("agent.example"), Port: new(int32(5051)), Resources: rs, Domain: domain(),
		Attributes: []*mesos.Attribute{
			{Name: new("rack"), Type: mesos.Value_TEXT.Enum(), Text: &mesos.Value_Text{Value: new("r1")}},
			{Name: new("zone"), Type: mesos.Value_TEXT.Enum(), Text: &mesos.Value_Text{Value: new("a")}},
		},
	}})
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(a.Close)
	ctx, cancel := context.WithTimeout(m.t.Context(), patience)
	defer cancel()
	if _, err := a.Registered(ctx); err != nil {
		m.t.Fatal(err)
	}
	return a
}

// answer is a whole HTTP answer.
type answer struct {
	status int
	header http.Header
	body   string
}

var plain = &http.Client{
	Timeout:       patience,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

func (m *master) do(method, path string, header map[string]string, body string) answer {
	m.t.Helper()
	req, err := http.NewRequestWithContext(m.t.Context(), method, m.url+path, bytes.NewReader([]byte(body)))
	if err != nil {
		m.t.Fatal(err)
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	resp, err := plain.Do(req)
	if err != nil {
		m.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		m.t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(b)}
}

// get asks for a path that must be there.
func (m *master) get(path string) string {
	m.t.Helper()
	a := m.do(http.MethodGet, path, nil, "")
	if a.status != http.StatusOK {
		m.t.Fatalf("GET %s: %d %s", path, a.status, a.body)
	}
	return a.body
}

var sendsJSON = map[string]string{"Content-Type": codec.JSON}

func (m *master) operator(body string) answer {
	m.t.Helper()
	return m.do(http.MethodPost, "/api/v1", sendsJSON, body)
}

// framework is a scheduler on the v1 API, in JSON.
type framework struct {
	m      *master
	id     *mesos.FrameworkID
	stream string
	events chan *scheduler.Event
	cancel context.CancelFunc
}

func (m *master) subscribe(info *mesos.FrameworkInfo) *framework {
	m.t.Helper()
	call := &scheduler.Call{Type: scheduler.Call_SUBSCRIBE.Enum(), Subscribe: &scheduler.Call_Subscribe{FrameworkInfo: info}}
	body, err := codec.Marshal(codec.JSON, call)
	if err != nil {
		m.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	m.t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, m.url+"/api/v1/scheduler", bytes.NewReader(body))
	if err != nil {
		m.t.Fatal(err)
	}
	req.Header.Set("Content-Type", codec.JSON)
	resp, err := new(http.Client).Do(req)
	if err != nil {
		m.t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		m.t.Fatalf("SUBSCRIBE: %s", resp.Status)
	}
	f := &framework{m: m, stream: resp.Header.Get("Mesos-Stream-Id"), events: make(chan *scheduler.Event, 1000), cancel: cancel}
	go f.read(resp.Body)
	f.id = f.await(scheduler.Event_SUBSCRIBED).GetSubscribed().GetFrameworkId()
	return f
}

func (f *framework) read(body io.ReadCloser) {
	defer close(f.events)
	defer body.Close()
	records := recordio.NewReader(body, 1<<24)
	for {
		record, err := records.Next()
		if err != nil {
			return
		}
		e := &scheduler.Event{}
		if codec.Unmarshal(codec.JSON, record, e) != nil {
			return
		}
		f.events <- e
	}
}

// await skips events until one of the type comes.
func (f *framework) await(want scheduler.Event_Type) *scheduler.Event {
	f.m.t.Helper()
	for timeout := time.After(patience); ; {
		select {
		case e, ok := <-f.events:
			if !ok {
				f.m.t.Fatalf("the stream ended while waiting for %v", want)
			}
			if e.GetType() == want {
				return e
			}
		case <-timeout:
			f.m.t.Fatalf("no %v came", want)
		}
	}
}

// update waits for a task to be in a state.
func (f *framework) update(taskID string, want mesos.TaskState) *mesos.TaskStatus {
	f.m.t.Helper()
	for {
		status := f.await(scheduler.Event_UPDATE).GetUpdate().GetStatus()
		if status.GetTaskId().GetValue() == taskID && status.GetState() == want {
			return status
		}
	}
}

func (f *framework) call(c *scheduler.Call) answer {
	f.m.t.Helper()
	c.FrameworkId = f.id
	body, err := codec.Marshal(codec.JSON, c)
	if err != nil {
		f.m.t.Fatal(err)
	}
	return f.m.do(http.MethodPost, "/api/v1/scheduler",
		map[string]string{"Content-Type": codec.JSON, "Mesos-Stream-Id": f.stream}, string(body))
}

// launch accepts an offer for operations.
func (f *framework) launch(offer *mesos.Offer, operations ...*mesos.Offer_Operation) {
	f.m.t.Helper()
	a := f.call(&scheduler.Call{Type: scheduler.Call_ACCEPT.Enum(), Accept: &scheduler.Call_Accept{
		OfferIds: []*mesos.OfferID{offer.Id}, Operations: operations,
		Filters: &mesos.Filters{RefuseSeconds: new(0.0)},
	}})
	if a.status != http.StatusAccepted || a.body != "" {
		f.m.t.Fatalf("ACCEPT: %d %s", a.status, a.body)
	}
}
