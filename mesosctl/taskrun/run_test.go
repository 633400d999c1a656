package taskrun

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/agent"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
	"github.com/mesos-operator/mesos-operator/internal/codec"
	"github.com/mesos-operator/mesos-operator/internal/masterclient"
	"github.com/mesos-operator/mesos-operator/internal/recordio"
)

// cluster is a master and an agent in one server: it makes one offer, and ends the task as told.
type cluster struct {
	t      *testing.T
	url    string
	events chan *scheduler.Event
	stdout string
	end    mesos.TaskState
	// hold keeps the task running until it is killed.
	hold bool
	// leave ends the stream, once, when the task runs; its end is told at the next one.
	leave bool
	// absent is how many attempts to find a master fail after the first.
	absent int

	mu    sync.Mutex
	calls []string
	task  *mesos.TaskInfo
}

func newCluster(t *testing.T) *cluster {
	c := &cluster{t: t, events: make(chan *scheduler.Event, 16), end: mesos.TaskState_TASK_FINISHED}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	c.url = server.URL
	return c
}

func (c *cluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		c.t.Error(err)
	}
	if r.URL.Path == "/api/v1" {
		c.readFile(w, body)
		return
	}
	call := &scheduler.Call{}
	if err := codec.Unmarshal(codec.Protobuf, body, call); err != nil {
		c.t.Error(err)
	}
	if call.GetType() == scheduler.Call_SUBSCRIBE {
		c.mu.Lock()
		c.calls = append(c.calls, "SUBSCRIBE "+call.Subscribe.FrameworkInfo.Id.GetValue()+call.FrameworkId.GetValue())
		c.mu.Unlock()
		c.stream(w, r)
		return
	}
	c.handle(call)
	w.WriteHeader(http.StatusAccepted)
}

func (c *cluster) stream(w http.ResponseWriter, r *http.Request) {
	c.events <- &scheduler.Event{Type: scheduler.Event_SUBSCRIBED.Enum(), Subscribed: &scheduler.Event_Subscribed{FrameworkId: &mesos.FrameworkID{Value: new("f")}}}
	c.events <- &scheduler.Event{Type: scheduler.Event_OFFERS.Enum(), Offers: &scheduler.Event_Offers{Offers: []*mesos.Offer{
		c.offer("small", scalar("cpus", 0.05), scalar("mem", 4096)),
		c.offer("good", scalar("cpus", 4), scalar("mem", 16), scalar("mem", 4096)),
		c.offer("spare", scalar("cpus", 4), scalar("mem", 4096)),
	}}}
	for {
		select {
		case e := <-c.events:
			if e == nil {
				return
			}
			b, err := codec.Marshal(codec.Protobuf, e)
			if err != nil {
				c.t.Error(err)
			}
			w.Write(recordio.AppendRecord(nil, b))
			w.(http.Flusher).Flush()
		case <-r.Context().Done():
			return
		}
	}
}

func (c *cluster) offer(id string, resources ...*mesos.Resource) *mesos.Offer {
	host, port, _ := net.SplitHostPort(strings.TrimPrefix(c.url, "http://"))
	n, _ := strconv.Atoi(port)
	return &mesos.Offer{
		Id: &mesos.OfferID{Value: &id}, FrameworkId: &mesos.FrameworkID{Value: new("f")}, AgentId: &mesos.AgentID{Value: new("a")}, Hostname: new("agent"),
		Url:       &mesos.URL{Scheme: new("http"), Address: &mesos.Address{Ip: &host, Port: new(int32(n))}},
		Resources: resources,
	}
}

func (c *cluster) handle(call *scheduler.Call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch call.GetType() {
	case scheduler.Call_ACCEPT:
		c.calls = append(c.calls, "ACCEPT "+call.Accept.OfferIds[0].GetValue())
		c.task = call.Accept.Operations[0].Launch.TaskInfos[0]
		c.update(mesos.TaskState_TASK_RUNNING)
		switch {
		case c.leave:
			c.events <- nil
		case !c.hold:
			c.update(c.end)
		}
	case scheduler.Call_RECONCILE:
		c.calls = append(c.calls, "RECONCILE "+call.Reconcile.Tasks[0].AgentId.GetValue())
		if !c.hold {
			c.update(c.end)
		}
	case scheduler.Call_DECLINE:
		c.calls = append(c.calls, "DECLINE "+call.Decline.OfferIds[0].GetValue())
	case scheduler.Call_KILL:
		c.calls = append(c.calls, "KILL")
		c.update(mesos.TaskState_TASK_KILLED)
	default:
		c.calls = append(c.calls, call.GetType().String())
	}
}

func (c *cluster) update(state mesos.TaskState) {
	c.events <- &scheduler.Event{Type: scheduler.Event_UPDATE.Enum(), Update: &scheduler.Event_Update{Status: &mesos.TaskStatus{
		TaskId: c.task.TaskId, AgentId: c.task.AgentId, State: state.Enum(), Uuid: []byte("0123456789abcdef"),
	}}}
}

func (c *cluster) readFile(w http.ResponseWriter, body []byte) {
	call := &agent.Call{}
	if err := codec.Unmarshal(codec.Protobuf, body, call); err != nil {
		c.t.Error(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if want := "/frameworks/f/executors/" + c.task.TaskId.GetValue() + "/runs/latest/stdout"; call.ReadFile.GetPath() != want {
		c.t.Errorf("path %s, want %s", call.ReadFile.GetPath(), want)
	}
	// Two bytes at a time: the reader must ask again.
	rest := c.stdout[min(int(call.ReadFile.GetOffset()), len(c.stdout)):]
	b, err := codec.Marshal(codec.Protobuf, &agent.Response{Type: agent.Response_READ_FILE.Enum(), ReadFile: &agent.Response_ReadFile{
		Size: new(uint64(len(c.stdout))), Data: []byte(rest[:min(2, len(rest))]),
	}})
	if err != nil {
		c.t.Error(err)
	}
	w.Write(b)
}

func scalar(name string, v float64) *mesos.Resource {
	return &mesos.Resource{Name: &name, Type: mesos.Value_SCALAR.Enum(), Scalar: &mesos.Value_Scalar{Value: &v}}
}

func (c *cluster) run(ctx context.Context) (stdout, progress string, err error) {
	connects := 0
	connect := func(context.Context) (*masterclient.Client, error) {
		if connects++; connects > 1 && connects <= 1+c.absent {
			return nil, errors.New("no leading master")
		}
		return masterclient.New(masterclient.Config{Master: c.url})
	}
	var out, notes bytes.Buffer
	err = Run(ctx, connect, Options{
		Name: "hello", Command: []string{"echo", "hello"}, Role: "*", Resources: map[string]float64{"cpus": 0.1, "mem": 32},
		Stdout: &out, Progress: &notes, WaitNote: time.Minute,
	})
	return out.String(), notes.String(), err
}

func TestRunFinishes(t *testing.T) {
	c := newCluster(t)
	c.stdout = "hello\n"
	stdout, progress, err := c.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if stdout != "hello\n" {
		t.Errorf("stdout %q", stdout)
	}
	for _, want := range []string{"framework f subscribed", "launching task hello.", "TASK_RUNNING", "TASK_FINISHED"} {
		if !strings.Contains(progress, want) {
			t.Errorf("no %q in:\n%s", want, progress)
		}
	}
	if got := c.calls[len(c.calls)-1]; got != "TEARDOWN" {
		t.Errorf("the last call was %s", got)
	}
	for _, want := range []string{"DECLINE small", "ACCEPT good", "DECLINE spare", "SUPPRESS", "ACKNOWLEDGE"} {
		if !slices.Contains(c.calls, want) {
			t.Errorf("no %s among %v", want, c.calls)
		}
	}
	want := []*mesos.Resource{scalar("cpus", 0.1), scalar("mem", 16), scalar("mem", 16)}
	if diff := cmp.Diff(want, c.task.Resources, cmp.Comparer(func(a, b *mesos.Resource) bool { return proto.Equal(a, b) })); diff != "" {
		t.Errorf("resources (-want +got):\n%s", diff)
	}
}

func TestRunFails(t *testing.T) {
	c := newCluster(t)
	c.end = mesos.TaskState_TASK_FAILED
	_, _, err := c.run(t.Context())
	if failed, ok := errors.AsType[*FailedError](err); !ok || failed.State != mesos.TaskState_TASK_FAILED {
		t.Error(err)
	}
}

// A master that goes away takes neither the framework nor the task with it.
func TestNextMaster(t *testing.T) {
	c := newCluster(t)
	c.leave, c.stdout = true, "hello\n"
	stdout, progress, err := c.run(t.Context())
	if err != nil || stdout != "hello\n" {
		t.Errorf("stdout %q, error %v", stdout, err)
	}
	for _, want := range []string{"the master is gone", "framework f subscribed again", "TASK_FINISHED"} {
		if !strings.Contains(progress, want) {
			t.Errorf("no %q in:\n%s", want, progress)
		}
	}
	var own []string
	for _, call := range c.calls {
		if strings.HasPrefix(call, "SUBSCRIBE") || strings.HasPrefix(call, "RECONCILE") || call == "TEARDOWN" {
			own = append(own, call)
		}
	}
	if diff := cmp.Diff([]string{"SUBSCRIBE ", "SUBSCRIBE ff", "RECONCILE a", "TEARDOWN"}, own); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

// Who gives up while there is no master has the task killed at the next one.
func TestInterruptWithoutMaster(t *testing.T) {
	c := newCluster(t)
	c.leave, c.hold, c.absent = true, true, 2
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	_, _, err := c.run(ctx)
	if failed, ok := errors.AsType[*FailedError](err); !ok || failed.State != mesos.TaskState_TASK_KILLED {
		t.Error(err)
	}
}

// A master that refuses is not one that is gone.
func TestLost(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want bool
	}{
		"nothing":     {nil, false},
		"end":         {io.EOF, true},
		"refusal":     {masterclient.ErrRefused, false},
		"forbidden":   {&masterclient.StatusError{Code: 403}, false},
		"unavailable": {&masterclient.StatusError{Code: 503}, true},
	} {
		if got := lost(c.err); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestInterruptKills(t *testing.T) {
	c := newCluster(t)
	c.hold = true
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(300*time.Millisecond, cancel)
	_, _, err := c.run(ctx)
	if failed, ok := errors.AsType[*FailedError](err); !ok || failed.State != mesos.TaskState_TASK_KILLED {
		t.Error(err)
	}
	if !slices.Contains(c.calls, "KILL") {
		t.Errorf("calls %v", c.calls)
	}
}

func TestValidate(t *testing.T) {
	tests := map[string]Options{
		"command": {Name: "n", Role: "*"},
		"name":    {Command: []string{"x"}, Role: "*"},
		"role":    {Command: []string{"x"}, Name: "n"},
		"cpus":    {Command: []string{"x"}, Name: "n", Role: "*", Resources: map[string]float64{"cpus": -1}},
	}
	for word, o := range tests {
		if err := o.Validate(); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%s: %v", word, err)
		}
	}
}
