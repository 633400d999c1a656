package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mesos-operator/mesos-operator/agentd/checkpoint"
	"github.com/mesos-operator/mesos-operator/agentd/engine"
	"github.com/mesos-operator/mesos-operator/agentd/engine/enginetest"
	"github.com/mesos-operator/mesos-operator/agentd/state"
	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/executor"
	"github.com/mesos-operator/mesos-operator/internal/codec"
	"github.com/mesos-operator/mesos-operator/internal/files"
	"github.com/mesos-operator/mesos-operator/internal/httpserver"
	"github.com/mesos-operator/mesos-operator/internal/logging"
	"github.com/mesos-operator/mesos-operator/internal/metrics"
	"github.com/mesos-operator/mesos-operator/internal/recordio"
)

// liveAgent is an agent that serves HTTP.
type liveAgent struct {
	t      *testing.T
	master *enginetest.Master
	api    *API
	url    string
}

func newAgent(t *testing.T, master *enginetest.Master, containers *enginetest.Containers) *liveAgent {
	t.Helper()
	workDir := t.TempDir()
	store, err := checkpoint.Open(workDir)
	if err != nil {
		t.Fatal(err)
	}
	shown, registry := files.New(), metrics.NewRegistry()
	e, err := engine.New(engine.Config{
		State: state.Config{
			Agent: &mesos.AgentInfo{Hostname: new("agent.example")}, Version: "1.11.0", IP: "127.0.0.1",
			WorkDir: workDir, Reconnect: true, RegistrationBackoff: time.Millisecond,
			CommandExecutor: &mesos.CommandInfo{Shell: new(false), Value: new("/bin/agentd")},
		},
		Node: enginetest.NewNode(t), Store: store, Containerizer: containers, Detector: master,
		Files: shown, Metrics: registry,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	logs, err := logging.New(logging.Config{Output: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	api, err := New(Config{
		Engine: e, Metrics: registry, Files: shown, Verbosity: logs.Verbosity,
		Flags: map[string]string{"work_dir": workDir}, Started: time.Now(), Heartbeat: 50 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	router := httpserver.NewRouter(Process)
	api.Register(router)
	server := httptest.NewServer(httpserver.New(httpserver.Config{Handler: router}).Handler())
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		store.Close()
	})
	return &liveAgent{t: t, master: master, api: api, url: server.URL}
}

// sendTask has the master launch a command task.
func (a *liveAgent) sendTask(id string) {
	a.t.Helper()
	enginetest.Expect[*messages.UpdateSlaveMessage](a.master)
	a.master.Send(&messages.RunTaskMessage{
		Framework: &mesos.FrameworkInfo{
			Id: &mesos.FrameworkID{Value: new("f")}, User: new("root"), Name: new("n"), Checkpoint: new(true),
		},
		Task: &mesos.TaskInfo{
			Name: &id, TaskId: &mesos.TaskID{Value: &id}, AgentId: &mesos.AgentID{Value: new("m-S0")},
			Command: &mesos.CommandInfo{Value: new("true")},
		},
	})
}

// runTask launches a command task and waits until the agent has it.
func (a *liveAgent) runTask(id string) {
	a.t.Helper()
	a.sendTask(id)
	a.eventually("the task is queued", func() error {
		v, err := a.api.cfg.Engine.View(a.t.Context())
		if err == nil && len(liveExecutors(v)) == 0 {
			err = errors.New("there is no executor")
		}
		return err
	})
}

func (a *liveAgent) eventually(what string, f func() error) {
	a.t.Helper()
	var err error
	for deadline := time.Now().Add(enginetest.Patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if err = f(); err == nil {
			return
		}
	}
	a.t.Fatalf("%s: %v", what, err)
}

func (a *liveAgent) do(method, path, body string, headers ...string) (*http.Response, string) {
	a.t.Helper()
	req, err := http.NewRequestWithContext(a.t.Context(), method, a.url+path, strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return resp, string(data)
}

func (a *liveAgent) registered() {
	a.t.Helper()
	enginetest.Expect[*messages.UpdateSlaveMessage](a.master)
}

const asJSON = "application/json"

func TestExecutorAPIRefuses(t *testing.T) {
	a := newAgent(t, enginetest.NewMaster(t), enginetest.NewContainers())
	a.runTask("t1")
	update := func(status string) string {
		return `{"type":"UPDATE","framework_id":{"value":"f"},"executor_id":{"value":"t1"},"update":{"status":` + status + `}}`
	}
	const uuid = `"uuid":"7gAAAAAAQACAAAAAAAAAAQ=="`
	tests := map[string]struct {
		method, body string
		headers      []string
		status       int
	}{
		"wrong method":    {"GET", "", nil, 405},
		"no content type": {"POST", "{}", nil, 400},
		"wrong type":      {"POST", "{}", []string{"Content-Type", "application/json; charset=utf-8"}, 415},
		"not JSON":        {"POST", "{", []string{"Content-Type", asJSON}, 400},
		"no IDs":          {"POST", `{"type":"SUBSCRIBE","subscribe":{}}`, []string{"Content-Type", asJSON}, 400},
		"no type": {"POST", `{"framework_id":{"value":"f"},"executor_id":{"value":"t1"}}`,
			[]string{"Content-Type", asJSON}, 400},
		"unknown type": {"POST", `{"type":"UNKNOWN","framework_id":{"value":"f"},"executor_id":{"value":"t1"}}`,
			[]string{"Content-Type", asJSON}, 501},
		"unknown framework": {"POST", `{"type":"SUBSCRIBE","framework_id":{"value":"x"},"executor_id":{"value":"t1"},"subscribe":{}}`,
			[]string{"Content-Type", asJSON}, 400},
		"unknown executor": {"POST", `{"type":"SUBSCRIBE","framework_id":{"value":"f"},"executor_id":{"value":"x"},"subscribe":{}}`,
			[]string{"Content-Type", asJSON}, 400},
		"unacceptable": {"POST", `{"type":"SUBSCRIBE","framework_id":{"value":"f"},"executor_id":{"value":"t1"},"subscribe":{}}`,
			[]string{"Content-Type", asJSON, "Accept", "text/html"}, 406},
		"bad UUID in SUBSCRIBE": {"POST", `{"type":"SUBSCRIBE","framework_id":{"value":"f"},"executor_id":{"value":"t1"},
			"subscribe":{"unacknowledged_updates":[{"status":{"task_id":{"value":"t"},"state":"TASK_RUNNING","source":"SOURCE_EXECUTOR","uuid":"AAAA"}}]}}`,
			[]string{"Content-Type", asJSON}, 400},
		"heartbeat": {"POST", `{"type":"HEARTBEAT","framework_id":{"value":"?"},"executor_id":{"value":"?"}}`,
			[]string{"Content-Type", asJSON}, 202},
		"not subscribed": {"POST", update(`{"task_id":{"value":"t1"},"state":"TASK_RUNNING","source":"SOURCE_EXECUTOR",` + uuid + `}`),
			[]string{"Content-Type", asJSON}, 403},
		"update without UUID": {"POST", update(`{"task_id":{"value":"t1"},"state":"TASK_RUNNING","source":"SOURCE_EXECUTOR"}`),
			[]string{"Content-Type", asJSON}, 400},
		"update of another executor": {"POST", update(`{"task_id":{"value":"t1"},"executor_id":{"value":"x"},"state":"TASK_RUNNING","source":"SOURCE_EXECUTOR",` + uuid + `}`),
			[]string{"Content-Type", asJSON}, 400},
		"update without source": {"POST", update(`{"task_id":{"value":"t1"},"state":"TASK_RUNNING",` + uuid + `}`),
			[]string{"Content-Type", asJSON}, 400},
		"update of somebody else": {"POST", update(`{"task_id":{"value":"t1"},"state":"TASK_RUNNING","source":"SOURCE_MASTER",` + uuid + `}`),
			[]string{"Content-Type", asJSON}, 400},
		"update with a short UUID": {"POST", update(`{"task_id":{"value":"t1"},"state":"TASK_RUNNING","source":"SOURCE_EXECUTOR","uuid":"ZHVtbXk="}`),
			[]string{"Content-Type", asJSON}, 400},
		"other JSON":   {"POST", `{"string":"valid"}`, []string{"Content-Type", asJSON}, 400},
		"no protobuf":  {"POST", "MALFORMED", []string{"Content-Type", codec.Protobuf}, 400},
		"no SUBSCRIBE": {"POST", `{"type":"SUBSCRIBE","framework_id":{"value":"f"},"executor_id":{"value":"t1"}}`, []string{"Content-Type", asJSON}, 400},
		"no UPDATE":    {"POST", `{"type":"UPDATE","framework_id":{"value":"f"},"executor_id":{"value":"t1"}}`, []string{"Content-Type", asJSON}, 400},
		"no MESSAGE":   {"POST", `{"type":"MESSAGE","framework_id":{"value":"f"},"executor_id":{"value":"t1"}}`, []string{"Content-Type", asJSON}, 400},
		"message of an unknown framework": {"POST", `{"type":"MESSAGE","framework_id":{"value":"x"},"executor_id":{"value":"t1"},"message":{"data":"aGVsbG8="}}`,
			[]string{"Content-Type", asJSON}, 400},
		"update to staging": {"POST", update(`{"task_id":{"value":"t1"},"state":"TASK_STAGING","source":"SOURCE_EXECUTOR",` + uuid + `}`),
			[]string{"Content-Type", asJSON}, 400},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a.t = t
			if resp, body := a.do(tt.method, "/slave(1)/api/v1/executor", tt.body, tt.headers...); resp.StatusCode != tt.status {
				t.Errorf("status %d, want %d: %s", resp.StatusCode, tt.status, body)
			}
		})
	}
}

// TestExecutorAPI subscribes in both content types and reads record by record.
func TestExecutorAPI(t *testing.T) {
	for _, contentType := range []string{codec.JSON, codec.Protobuf} {
		t.Run(contentType, func(t *testing.T) {
			a := newAgent(t, enginetest.NewMaster(t), enginetest.NewContainers())
			a.runTask("t1")
			call := func(c *executor.Call) *http.Response {
				t.Helper()
				c.FrameworkId, c.ExecutorId = &mesos.FrameworkID{Value: new("f")}, &mesos.ExecutorID{Value: new("t1")}
				body, err := codec.Marshal(contentType, c)
				if err != nil {
					t.Fatal(err)
				}
				req, err := http.NewRequestWithContext(t.Context(), "POST", a.url+"/api/v1/executor", bytes.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set("Content-Type", contentType)
				req.Header.Set("Accept", contentType)
				resp, err := http.DefaultClient.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				return resp
			}
			resp := call(&executor.Call{Type: executor.Call_SUBSCRIBE.Enum(), Subscribe: &executor.Call_Subscribe{}})
			defer resp.Body.Close()
			if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != contentType || len(resp.TransferEncoding) == 0 {
				t.Fatalf("%d %v %v", resp.StatusCode, resp.Header, resp.TransferEncoding)
			}
			events := recordio.NewReader(resp.Body, 1<<20)
			expect := func(want executor.Event_Type) {
				t.Helper()
				for {
					record, err := events.Next()
					if err != nil {
						t.Fatal(err)
					}
					e := &executor.Event{}
					if err := codec.Unmarshal(contentType, record, e); err != nil {
						t.Fatal(err)
					}
					if e.GetType() == want {
						return
					}
				}
			}
			expect(executor.Event_SUBSCRIBED)
			expect(executor.Event_LAUNCH)
			expect(executor.Event_HEARTBEAT)
			resp = call(&executor.Call{Type: executor.Call_UPDATE.Enum(), Update: &executor.Call_Update{Status: &mesos.TaskStatus{
				TaskId: &mesos.TaskID{Value: new("t1")}, State: mesos.TaskState_TASK_RUNNING.Enum(),
				Source: mesos.TaskStatus_SOURCE_EXECUTOR.Enum(), Uuid: []byte{6: 0x40, 8: 0x80, 15: 1},
			}}})
			resp.Body.Close()
			if resp.StatusCode != 202 {
				t.Errorf("update: %d", resp.StatusCode)
			}
			expect(executor.Event_ACKNOWLEDGED)
			a.master.Update(mesos.TaskState_TASK_RUNNING)
		})
	}
}

// TestExecutorStreamIsJSON: an executor that takes anything, or says nothing, gets JSON.
func TestExecutorStreamIsJSON(t *testing.T) {
	for name, accept := range map[string][]string{"anything": {"*/*"}, "nothing said": nil} {
		t.Run(name, func(t *testing.T) {
			a := newAgent(t, enginetest.NewMaster(t), enginetest.NewContainers())
			a.runTask("t1")
			body := `{"type":"SUBSCRIBE","framework_id":{"value":"f"},"executor_id":{"value":"t1"},"subscribe":{}}`
			req, err := http.NewRequestWithContext(t.Context(), "POST", a.url+"/api/v1/executor", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header = http.Header{"Content-Type": {asJSON}, "Accept": accept}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if got := resp.Header.Get("Content-Type"); resp.StatusCode != 200 || got != asJSON {
				t.Errorf("%d %s", resp.StatusCode, got)
			}
		})
	}
}

func TestEndpoints(t *testing.T) {
	a := newAgent(t, enginetest.NewMaster(t), enginetest.NewContainers())
	a.runTask("t1")
	a.eventually("the container runs", func() error {
		if _, body := a.do("GET", "/containers", ""); !strings.Contains(body, "executor_pid") {
			return errors.New(body)
		}
		return nil
	})
	tests := map[string]struct {
		golden string
		ignore []string
	}{
		"/version":                          {"fresh_version", []string{"git_sha", "git_branch"}},
		"/flags":                            {"fresh_flags", []string{"flags"}},
		"/slave(1)/flags":                   {"fresh_flags", []string{"flags"}},
		"/containers":                       {"busy_containers", []string{"statistics"}},
		"/monitor/statistics":               {"busy_monitor_statistics", []string{"statistics"}},
		"/slave(1)/monitor/statistics.json": {"busy_monitor_statistics", []string{"statistics"}},
		"/containerizer/debug":              {"busy_containerizer_debug", nil},
	}
	for path, tt := range tests {
		t.Run(path, func(t *testing.T) {
			a.t = t
			resp, body := a.do("GET", path, "")
			if resp.StatusCode != 200 {
				t.Fatalf("%d %s", resp.StatusCode, body)
			}
			if diff := shapeDiff(t, recorded(t, tt.golden), []byte(body), tt.ignore...); diff != "" {
				t.Errorf("shape (-Mesos +ours):\n%s", diff)
			}
		})
	}
	a.t = t
	if resp, body := a.do("GET", "/health", ""); resp.StatusCode != 200 || body != "" {
		t.Errorf("/health: %d %q", resp.StatusCode, body)
	}
	if resp, _ := a.do("GET", "/containers?executor_id=t1", ""); resp.StatusCode != 400 {
		t.Errorf("/containers with an executor only: %d", resp.StatusCode)
	}
	if _, body := a.do("GET", "/containers?framework_id=other", ""); body != "[]" {
		t.Errorf("/containers of another framework: %s", body)
	}
	if resp, body := a.do("GET", "/metrics", ""); resp.StatusCode != 200 || !strings.Contains(body, "slave_tasks_staging") {
		t.Errorf("/metrics: %d", resp.StatusCode)
	}
}

// TestUnmeasurable: who can't be measured is left out, or shown without statistics.
func TestUnmeasurable(t *testing.T) {
	containers := enginetest.NewContainers()
	containers.FailUsage(errors.New("no such cgroup"))
	a := newAgent(t, enginetest.NewMaster(t), containers)
	a.runTask("t1")
	a.eventually("the container runs", func() error {
		if _, body := a.do("GET", "/containers", ""); !strings.Contains(body, "executor_pid") || strings.Contains(body, "statistics") {
			return errors.New(body)
		}
		return nil
	})
	if resp, body := a.do("GET", "/monitor/statistics", ""); resp.StatusCode != 200 || body != "[]" {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

// TestLaunchErrorIsCounted: a container that can't be started is a metric, and its
// task has failed.
func TestLaunchErrorIsCounted(t *testing.T) {
	containers := enginetest.NewContainers()
	containers.FailLaunches(errors.New("no such user"))
	master := enginetest.NewMaster(t)
	a := newAgent(t, master, containers)
	a.sendTask("t1") // it may be over at once
	master.Update(mesos.TaskState_TASK_FAILED)
	if _, body := a.do("GET", "/metrics/snapshot", ""); !strings.Contains(body, `"slave/container_launch_errors":1`) {
		t.Error(body)
	}
}

func TestFiles(t *testing.T) {
	a := newAgent(t, enginetest.NewMaster(t), enginetest.NewContainers())
	a.runTask("t1")
	v, err := a.api.cfg.Engine.View(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	e := liveExecutors(v)[0]
	a.eventually("the sandbox is there", func() error {
		if resp, _ := a.do("GET", "/files/browse?path="+e.Directory, ""); resp.StatusCode != 200 {
			return errors.New(resp.Status)
		}
		return os.WriteFile(e.Directory+"/stdout", []byte("out\n"), 0o644)
	})
	latest := e.Directory[:strings.LastIndexByte(e.Directory, '/')] + "/latest"
	for name, dir := range map[string]string{
		"run": e.Directory, "latest": latest, "virtual": "/frameworks/f/executors/t1/runs/latest",
	} {
		t.Run(name, func(t *testing.T) {
			a.t = t
			a.eventually(name+" is attached", func() error {
				if resp, _ := a.do("GET", "/files/browse?path="+dir, ""); resp.StatusCode != 200 {
					return errors.New(resp.Status)
				}
				return nil
			})
			_, body := a.do("GET", "/files/browse?path="+dir, "")
			if diff := shapeDiff(t, recorded(t, "files_browse"), []byte(body)); diff != "" {
				t.Errorf("browse (-Mesos +ours):\n%s", diff)
			}
			if _, body := a.do("GET", "/files/read?offset=0&path="+dir+"/stdout", ""); body != `{"data":"out\n","offset":0}` {
				t.Errorf("read: %s", body)
			}
			_, body = a.do("POST", "/api/v1", `{"type":"LIST_FILES","list_files":{"path":"`+dir+`"}}`, "Content-Type", asJSON)
			if diff := shapeDiff(t, recorded(t, "v1/LIST_FILES"), []byte(body)); diff != "" {
				t.Errorf("LIST_FILES (-Mesos +ours):\n%s", diff)
			}
			_, body = a.do("POST", "/api/v1",
				`{"type":"READ_FILE","read_file":{"path":"`+dir+`/stdout","offset":0,"length":10}}`, "Content-Type", asJSON)
			if diff := jsonDiff(t, recorded(t, "v1/READ_FILE"), []byte(body)); diff != "" {
				t.Errorf("READ_FILE (-Mesos +ours):\n%s", diff)
			}
		})
	}
}

func TestOperatorAPI(t *testing.T) {
	a := newAgent(t, enginetest.NewMaster(t), enginetest.NewContainers())
	a.registered()
	for _, name := range []string{"GET_HEALTH", "GET_LOGGING_LEVEL", "GET_VERSION", "GET_RESOURCE_PROVIDERS"} {
		resp, body := a.do("POST", "/api/v1", `{"type":"`+name+`"}`, "Content-Type", asJSON)
		if resp.StatusCode != 200 {
			t.Errorf("%s: %d %s", name, resp.StatusCode, body)
			continue
		}
		if diff := shapeDiff(t, recorded(t, "v1/"+name), []byte(body), "git_sha", "git_branch"); diff != "" {
			t.Errorf("%s (-Mesos +ours):\n%s", name, diff)
		}
	}
	tests := map[string]struct {
		body    string
		headers []string
		status  int
	}{
		"unknown":           {`{"type":"UNKNOWN"}`, []string{"Content-Type", asJSON}, 501},
		"no type":           {`{}`, []string{"Content-Type", asJSON}, 400},
		"no content type":   {`{}`, nil, 400},
		"unknown media":     {`{}`, []string{"Content-Type", "text/plain"}, 415},
		"missing part":      {`{"type":"READ_FILE"}`, []string{"Content-Type", asJSON}, 400},
		"missing file":      {`{"type":"LIST_FILES","list_files":{"path":"/nope"}}`, []string{"Content-Type", asJSON}, 404},
		"bad level":         {`{"type":"SET_LOGGING_LEVEL","set_logging_level":{"level":1,"duration":{"nanoseconds":-1}}}`, []string{"Content-Type", asJSON}, 400},
		"recordio untyped":  {``, []string{"Content-Type", codec.RecordIO}, 400},
		"recordio mistyped": {``, []string{"Content-Type", codec.RecordIO, "Message-Content-Type", "text/plain"}, 415},
		"typed message":     {`{}`, []string{"Content-Type", asJSON, "Message-Content-Type", asJSON}, 415},
		"accepted message":  {`{}`, []string{"Content-Type", asJSON, "Message-Accept", asJSON}, 406},
		"streamed answer":   {`{"type":"GET_HEALTH"}`, []string{"Content-Type", asJSON, "Accept", codec.RecordIO}, 406},
		"unacceptable":      {`{"type":"GET_HEALTH"}`, []string{"Content-Type", asJSON, "Accept", "text/html"}, 406},
		"metrics":           {`{"type":"GET_METRICS","get_metrics":{"timeout":{"nanoseconds":1000000000}}}`, []string{"Content-Type", asJSON}, 200},
		"prune images":      {`{"type":"PRUNE_IMAGES","prune_images":{"excluded_images":[{"type":"DOCKER","docker":{"name":"alpine"}}]}}`, []string{"Content-Type", asJSON}, 200},
		"prune all images":  {`{"type":"PRUNE_IMAGES"}`, []string{"Content-Type", asJSON}, 200},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a.t = t
			if resp, body := a.do("POST", "/api/v1", tt.body, tt.headers...); resp.StatusCode != tt.status {
				t.Errorf("status %d, want %d: %s", resp.StatusCode, tt.status, body)
			}
		})
	}
}

// TestFlagsAndMetrics: the calls tell what the endpoints tell.
func TestFlagsAndMetrics(t *testing.T) {
	a := newAgent(t, enginetest.NewMaster(t), enginetest.NewContainers())
	a.api.cfg.Flags = map[string]string{"work_dir": "/var/lib/mesos", "image_providers": "", "port": "5051"}
	a.registered()
	read := func(method, path, call string, into any) {
		t.Helper()
		resp, body := a.do(method, path, call, "Content-Type", asJSON)
		if err := json.Unmarshal([]byte(body), into); err != nil || resp.StatusCode != 200 {
			t.Fatalf("%s %s: %d %v %s", path, call, resp.StatusCode, err, body)
		}
	}
	var flags struct {
		Get struct {
			Flags []struct{ Name, Value string }
		} `json:"get_flags"`
	}
	read("POST", "/api/v1", `{"type":"GET_FLAGS"}`, &flags)
	got := map[string]string{}
	for _, f := range flags.Get.Flags {
		got[f.Name] = f.Value
	}
	if !maps.Equal(a.api.cfg.Flags, got) {
		t.Errorf("GET_FLAGS: %v, want %v", got, a.api.cfg.Flags)
	}
	var metrics struct {
		Get struct {
			Metrics []struct {
				Name  string
				Value float64
			}
		} `json:"get_metrics"`
	}
	read("POST", "/api/v1", `{"type":"GET_METRICS","get_metrics":{}}`, &metrics)
	var snapshot map[string]float64
	read("GET", "/metrics/snapshot", "", &snapshot)
	values := map[string]float64{}
	for _, m := range metrics.Get.Metrics {
		values[m.Name] = m.Value
	}
	for name := range values {
		if _, ok := snapshot[name]; !ok {
			t.Errorf("/metrics/snapshot has no %s", name)
		}
	}
	for name, want := range map[string]float64{"slave/registered": 1, "slave/tasks_running": 0, "slave/frameworks_active": 0} {
		if value, ok := values[name]; !ok || value != want {
			t.Errorf("%s is %v (%t), want %v", name, value, ok, want)
		}
	}
}

// TestMetricNames holds our names against Mesos's: those of features that this
// agent lacks are listed, so that a new one is noticed.
func TestMetricNames(t *testing.T) {
	a := newAgent(t, enginetest.NewMaster(t), enginetest.NewContainers())
	a.registered()
	_, body := a.do("GET", "/metrics/snapshot", "")
	var want, got map[string]float64
	if err := json.Unmarshal(recorded(t, "fresh_metrics_snapshot"), &want); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	for name := range want {
		_, have := got[name]
		elsewhere := strings.HasPrefix(name, "containerizer/") || strings.HasPrefix(name, "resource_provider_manager/")
		if !have && !elsewhere {
			t.Errorf("%s is missing", name)
		}
	}
}

func FuzzExecutorCall(f *testing.F) {
	f.Add(codec.JSON, []byte(`{"type":"UPDATE","framework_id":{"value":"f"},"executor_id":{"value":"e"}}`))
	valid, err := proto.Marshal(&executor.Call{
		Type: executor.Call_MESSAGE.Enum(), FrameworkId: &mesos.FrameworkID{Value: new("f")},
		ExecutorId: &mesos.ExecutorID{Value: new("e")}, Message: &executor.Call_Message{Data: []byte("x")},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(codec.Protobuf, valid)
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		r := httptest.NewRequest("POST", "/", bytes.NewReader(body))
		r.Header.Set("Content-Type", contentType)
		call, err := executorCall(r)
		if (call == nil) == (err == nil) {
			t.Errorf("call %v, error %v", call, err)
		}
		if _, ok := errors.AsType[*refusal](err); err != nil && !ok {
			t.Errorf("%v has no status", err)
		}
	})
}
