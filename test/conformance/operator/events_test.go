package operator

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	mesosmaster "github.com/mesos-operator/mesos-operator/api/mesos/v1/master"
	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// watchEvents subscribes to the event stream.
func watchEvents(t *testing.T, master *testbed.Master, encoding testbed.Encoding) *testbed.Stream {
	t.Helper()
	call, decode := []byte(`{"type":"SUBSCRIBE"}`), testbed.Parse
	if encoding == testbed.Protobuf {
		var err error
		if call, err = proto.Marshal(&mesosmaster.Call{Type: mesosmaster.Call_SUBSCRIBE.Enum()}); err != nil {
			t.Fatal(err)
		}
		decode = func(record []byte) (testbed.Value, error) {
			e := &mesosmaster.Event{}
			if err := proto.Unmarshal(record, e); err != nil {
				return testbed.Value{}, err
			}
			text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(e)
			if err != nil {
				return testbed.Value{}, err
			}
			return testbed.Parse(text)
		}
	}
	header := http.Header{"Content-Type": {string(encoding)}, "Accept": {string(encoding)}}
	stream, answer := testbed.OpenStream(t, master.URL("/api/v1"), header, call, decode)
	if stream == nil {
		t.Fatalf("SUBSCRIBE: %d %s", answer.Status, answer.Text())
	}
	if got := stream.Header.Get("Content-Type"); got != string(encoding) {
		t.Errorf("the stream is %s", got)
	}
	return stream
}

// A life of a cluster is told in the order in which it happens, in both content
// types, and in JSON with the members that a real Mesos has.
func TestEventStream(t *testing.T) {
	master := testbed.StartMaster(t)
	testbed.StartAgent(t, master.Address, testbed.Posix)
	awaitAgents(t, master, 1)
	streams := map[testbed.Encoding]*testbed.Stream{}
	for _, e := range encodings {
		streams[e] = watchEvents(t, master, e)
	}
	framework := testbed.Subscribe(t, master, testbed.FrameworkOptions{Info: object{"failover_timeout": 0.0}})
	framework.Run("t-done", "true")
	framework.Follow("t-done", "TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED")
	framework.Call("TEARDOWN", nil)

	for e, s := range streams {
		s.Await("the end of the framework", testbed.Type("FRAMEWORK_REMOVED"))
		var got []string
		for _, event := range s.Events() {
			kind := event.At("type").Text()
			if kind == "TASK_UPDATED" {
				kind += " " + event.At("task_updated", "status", "state").Text() // "state" may be ahead
			}
			if kind != "HEARTBEAT" || len(got) < 2 {
				got = append(got, kind)
			}
			if kind == "FRAMEWORK_REMOVED" {
				break
			}
		}
		want := "SUBSCRIBED HEARTBEAT FRAMEWORK_ADDED TASK_ADDED TASK_UPDATED TASK_STARTING TASK_UPDATED TASK_RUNNING " +
			"TASK_UPDATED TASK_FINISHED FRAMEWORK_REMOVED"
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v, want %s", e, got, want)
		}
		if agents := s.Events()[0].At("subscribed", "get_state", "get_agents", "agents").List(); len(agents) != 1 {
			t.Errorf("%s: the snapshot has %d agents", e, len(agents))
		}
	}
	checkEvents(t, streams[testbed.JSON].Events())
}

// checkEvents holds events against recorded ones, by type: none may have a
// member that was not recorded. What is only in the recording depends on the
// cluster that it is from.
func checkEvents(t *testing.T, events []testbed.Value) {
	t.Helper()
	known := map[string][]string{}
	for _, e := range testbed.MustParse(t, readFile(t, "operator_events.json")).At("events").List() {
		known[e.At("type").Text()] = append(known[e.At("type").Text()], e.String())
	}
	for _, e := range events {
		kind := e.At("type").Text()
		if kind == "AGENT_REMOVED" || kind == "AGENT_ADDED" {
			continue // none was recorded
		}
		if len(known[kind]) == 0 {
			t.Errorf("%s was not recorded", kind)
			continue
		}
		want := testbed.ShapeOf(testbed.MustParse(t, []byte("["+strings.Join(known[kind], ",")+"]")))
		got := testbed.ShapeOf(testbed.MustParse(t, []byte("["+e.String()+"]")))
		for _, d := range got.Differences(want, "[].subscribed.get_state.get_agents.agents[].offered_resources") {
			if !strings.HasPrefix(d, "missing") {
				t.Errorf("%s: %s", kind, d)
			}
		}
	}
}

// What is there is in the snapshot, and what comes later in events, for each
// subscriber from the moment of its subscription.
func TestSnapshotAndEventsFit(t *testing.T) {
	c := startCluster(t)
	for _, e := range encodings {
		stream := watchEvents(t, c.master, e)
		subscribed := stream.Await("SUBSCRIBED", testbed.Type("SUBSCRIBED")).At("subscribed")
		state := subscribed.At("get_state")
		if got := state.At("get_tasks", "tasks", 0, "task_id", "value").Text(); got != "t-sleep" {
			t.Errorf("%s: the snapshot has task %q", e, got)
		}
		if got := subscribed.At("heartbeat_interval_seconds").Number(); got != 15 {
			t.Errorf("%s: heartbeats every %v s", e, got)
		}
		id := "later-" + string(e[len(e)-4:])
		c.framework.Run(id, "true")
		c.framework.Follow(id, "TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED")
		added := stream.Await("TASK_ADDED", testbed.Type("TASK_ADDED")).At("task_added", "task")
		if added.At("task_id", "value").Text() != id || added.At("state").Text() != "TASK_STAGING" {
			t.Errorf("%s: added %v", e, added)
		}
		stream.Close()
	}
}

// The oldest subscriber goes when there are too many.
func TestTooManySubscribers(t *testing.T) {
	master := testbed.StartMaster(t, "--max_operator_event_stream_subscribers=2")
	var streams []*testbed.Stream
	for range 3 {
		s := watchEvents(t, master, testbed.JSON)
		s.Await("SUBSCRIBED", testbed.Type("SUBSCRIBED"))
		streams = append(streams, s)
	}
	streams[0].AwaitEnd()
	for _, s := range streams[1:] {
		if !s.Open() {
			t.Error("a younger subscriber had to go")
		}
	}
	if got := master.Get("/metrics/snapshot").At("master/operator_event_stream_subscribers").Number(); got != 2 {
		t.Errorf("%v subscribers are counted, want 2", got)
	}
}
