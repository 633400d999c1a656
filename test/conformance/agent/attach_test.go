package agent

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/agent"
	"github.com/mesos-operator/mesos-operator/internal/codec"
	"github.com/mesos-operator/mesos-operator/internal/recordio"
	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// stream is an answer of ProcessIO records.
type stream struct {
	t        *testing.T
	response *http.Response
	records  *recordio.Reader
	encoding string
	cancel   context.CancelFunc
}

// open makes a call whose answer is a stream of records in the client's encoding.
func (c *client) open(t *testing.T, call *agent.Call) *stream {
	t.Helper()
	body, err := codec.Marshal(c.encoding, call)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.agent.URL("/api/v1"), bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"Content-Type": {c.encoding}, "Accept": {codec.RecordIO}, "Message-Accept": {c.encoding}}
	response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(response.Body)
		t.Fatalf("%s: %d %s", call.GetType(), response.StatusCode, text)
	}
	if got := response.Header.Get("Content-Type") + " of " + response.Header.Get("Message-Content-Type"); got != codec.RecordIO+" of "+c.encoding {
		t.Errorf("the answer is %s", got)
	}
	return &stream{t, response, recordio.NewReader(response.Body, 4<<20), c.encoding, cancel}
}

// rest reads a stream to its end.
func (s *stream) rest() (stdout, stderr string) {
	s.t.Helper()
	for {
		record, err := s.records.Next()
		if err == io.EOF {
			return stdout, stderr
		}
		message := &agent.ProcessIO{}
		if err == nil {
			err = codec.Unmarshal(s.encoding, record, message)
		}
		if err != nil {
			s.t.Fatal(err)
		}
		switch data := message.GetData(); data.GetType() {
		case agent.ProcessIO_Data_STDOUT:
			stdout += string(data.GetData())
		case agent.ProcessIO_Data_STDERR:
			stderr += string(data.GetData())
		}
	}
}

func session(id *mesos.ContainerID, script string) *agent.Call {
	return &agent.Call{Type: agent.Call_LAUNCH_NESTED_CONTAINER_SESSION.Enum(), LaunchNestedContainerSession: &agent.Call_LaunchNestedContainerSession{
		ContainerId: id, Command: command(script),
	}}
}

func attachOutput(id *mesos.ContainerID) *agent.Call {
	return &agent.Call{Type: agent.Call_ATTACH_CONTAINER_OUTPUT.Enum(), AttachContainerOutput: &agent.Call_AttachContainerOutput{ContainerId: id}}
}

// input sends records to a container's input and returns the answer.
func (c *client) input(id *mesos.ContainerID, messages ...*agent.ProcessIO) (int, string) {
	c.t.Helper()
	calls := []*agent.Call_AttachContainerInput{{Type: agent.Call_AttachContainerInput_CONTAINER_ID.Enum(), ContainerId: id}}
	for _, m := range messages {
		calls = append(calls, &agent.Call_AttachContainerInput{Type: agent.Call_AttachContainerInput_PROCESS_IO.Enum(), ProcessIo: m})
	}
	var body []byte
	for _, call := range calls {
		payload, err := codec.Marshal(c.encoding, &agent.Call{Type: agent.Call_ATTACH_CONTAINER_INPUT.Enum(), AttachContainerInput: call})
		if err != nil {
			c.t.Fatal(err)
		}
		body = recordio.AppendRecord(body, payload)
	}
	answer := testbed.Do(c.t, http.MethodPost, c.agent.URL("/api/v1"),
		http.Header{"Content-Type": {codec.RecordIO}, "Message-Content-Type": {c.encoding}}, body)
	return answer.Status, answer.Text()
}

func stdin(data string) *agent.ProcessIO {
	return &agent.ProcessIO{Type: agent.ProcessIO_DATA.Enum(), Data: &agent.ProcessIO_Data{
		Type: agent.ProcessIO_Data_STDIN.Enum(), Data: []byte(data),
	}}
}

// TestOutputHeartbeats: who reads what a container writes is told now and then that the
// connection lives, and how often that is.
func TestOutputHeartbeats(t *testing.T) {
	master := testbed.StartMaster(t)
	a := testbed.StartAgent(t, master.Address, testbed.Posix, "--http_heartbeat_interval=100ms")
	f := testbed.Subscribe(t, master, testbed.FrameworkOptions{Info: testbed.Object{"checkpoint": true}})
	defer f.Call("TEARDOWN", nil)
	for _, encoding := range encodings {
		t.Run(encoding, func(t *testing.T) {
			c := &client{t, a, encoding}
			id := nested(executorOf(c, f, strings.ReplaceAll(encoding, "/", "-")), "silent")
			s := c.open(t, session(id, "sleep 1000"))
			for range 3 {
				record, err := s.records.Next()
				message := &agent.ProcessIO{}
				if err == nil {
					err = codec.Unmarshal(encoding, record, message)
				}
				control := message.GetControl()
				if err != nil || message.GetType() != agent.ProcessIO_CONTROL || control.GetType() != agent.ProcessIO_Control_HEARTBEAT ||
					control.GetHeartbeat().GetInterval().GetNanoseconds() != int64(100*time.Millisecond) {
					t.Fatalf("record %v, error %v", message, err)
				}
			}
			s.cancel() // which ends the session's container
			c.want(http.StatusOK, await(id))
		})
	}
}

func TestSession(t *testing.T) {
	each(t, func(t *testing.T, c *client, f *testbed.Framework) {
		c.t = t
		root := executorOf(c, f, "session-"+strings.ReplaceAll(t.Name(), "/", "-"))
		id := nested(root, "debug")
		s := c.open(t, session(id, "echo oops >&2; cat; head -c 1000000 /dev/zero | tr '\\0' x; exit 3"))
		heartbeat := &agent.ProcessIO{Type: agent.ProcessIO_CONTROL.Enum(), Control: &agent.ProcessIO_Control{
			Type: agent.ProcessIO_Control_HEARTBEAT.Enum(), Heartbeat: &agent.ProcessIO_Control_Heartbeat{},
		}}
		if status, text := c.input(id, stdin("one\n"), heartbeat, stdin("two\n"), stdin("")); status != http.StatusOK {
			t.Errorf("input: %d %s", status, text)
		}
		stdout, stderr := s.rest()
		if len(stdout) != 1000008 || !strings.HasPrefix(stdout, "one\ntwo\nxx") || stderr != "oops\n" {
			t.Errorf("%d bytes of stdout, stderr %q", len(stdout), stderr)
		}
		if waited := c.want(http.StatusOK, awaitNested(id)).GetWaitNestedContainer(); waited.GetExitStatus() != 3<<8 {
			t.Errorf("it ended with %v", waited)
		}
		c.want(http.StatusOK, removeNested(id))

		// Who hangs up ends the session.
		id, sleeper := nested(root, "gone"), testbed.NewSleeper()
		s = c.open(t, session(id, "exec "+sleeper.Command()))
		sleeper.PID(t)
		s.cancel()
		sleeper.AwaitEnd(t)

		// What was started for nobody has nothing to attach to.
		status, text, _ := c.call(attachOutput(root))
		if status != http.StatusInternalServerError || text != "I/O switchboard server was disabled for this container" {
			t.Errorf("attached to the executor: %d %s", status, text)
		}
		if status, text := c.input(root, stdin("x")); status != http.StatusInternalServerError || text != "I/O switchboard server was disabled for this container" {
			t.Errorf("attached to the executor's input: %d %s", status, text)
		}
		c.want(http.StatusNotFound, attachOutput(&mesos.ContainerID{Value: new("nobody")}))
		if status, _ := c.input(&mesos.ContainerID{Value: new("nobody")}); status != http.StatusNotFound {
			t.Errorf("attached to nobody's input: %d", status)
		}
	})
}

// A task with a terminal can be attached to, and its window resized.
func TestTerminal(t *testing.T) {
	each(t, func(t *testing.T, c *client, f *testbed.Framework) {
		c.t = t
		name := "terminal-" + strings.ReplaceAll(t.Name(), "/", "-")
		offer := f.Offer()
		task := testbed.Task(offer, name, `read line; echo "got $line"; stty size; : > /dev/tty && echo done`)
		task["container"] = testbed.Object{"type": "MESOS", "tty_info": testbed.Object{}}
		f.Accept(offer, testbed.Launch(task))
		running := f.Follow(name, "TASK_STARTING", "TASK_RUNNING")
		id := &mesos.ContainerID{Value: new(running.At("container_status", "container_id", "value").Text())}
		s := c.open(t, attachOutput(id))
		resize := &agent.ProcessIO{Type: agent.ProcessIO_CONTROL.Enum(), Control: &agent.ProcessIO_Control{
			Type:    agent.ProcessIO_Control_TTY_INFO.Enum(),
			TtyInfo: &mesos.TTYInfo{WindowSize: &mesos.TTYInfo_WindowSize{Rows: new(uint32(33)), Columns: new(uint32(99))}},
		}}
		if status, text := c.input(id, resize, stdin("hello\n")); status != http.StatusOK {
			t.Errorf("input: %d %s", status, text)
		}
		f.Follow(name, "TASK_FINISHED")
		stdout, _ := s.rest()
		for _, want := range []string{"got hello\r\n", "33 99\r\n", "done\r\n"} {
			if !strings.Contains(stdout, want) {
				t.Errorf("stdout %q has no %q", stdout, want)
			}
		}
	})
}

// Headers of streams, in Mesos's strictness.
func TestStreamHeaders(t *testing.T) {
	each(t, func(t *testing.T, c *client, f *testbed.Framework) {
		c.t = t
		ok, err := codec.Marshal(c.encoding, &agent.Call{Type: agent.Call_GET_VERSION.Enum()})
		if err != nil {
			t.Fatal(err)
		}
		testbed.Eventually(t, "the agent has recovered", func() error { // health doesn't tell
			if answer := testbed.Do(t, http.MethodGet, c.agent.URL("/state"), nil, nil); answer.Status != http.StatusOK {
				return errorf("%d %s", answer.Status, answer.Text())
			}
			return nil
		})
		record := recordio.AppendRecord(nil, ok)
		tests := map[string]struct {
			header http.Header
			body   []byte
			status int
		}{
			"a stream that doesn't say of what": {http.Header{"Content-Type": {codec.RecordIO}}, record, 400},
			"a stream of nonsense":              {http.Header{"Content-Type": {codec.RecordIO}, "Message-Content-Type": {"text/plain"}}, record, 415},
			"a stream for a plain call":         {http.Header{"Content-Type": {codec.RecordIO}, "Message-Content-Type": {c.encoding}}, record, 415},
			"an empty stream":                   {http.Header{"Content-Type": {codec.RecordIO}, "Message-Content-Type": {c.encoding}}, nil, 400},
			"a plain call of records":           {http.Header{"Content-Type": {c.encoding}, "Message-Content-Type": {c.encoding}}, ok, 415},
			"a plain answer of records":         {http.Header{"Content-Type": {c.encoding}, "Message-Accept": {c.encoding}}, ok, 406},
			"a streamed answer to a plain call": {http.Header{"Content-Type": {c.encoding}, "Accept": {codec.RecordIO}}, ok, 406},
			"a streamed answer of nonsense":     {http.Header{"Content-Type": {c.encoding}, "Accept": {codec.RecordIO}, "Message-Accept": {"text/plain"}}, ok, 406},
			"a plain call":                      {http.Header{"Content-Type": {c.encoding}}, ok, 200},
		}
		for name, tt := range tests {
			if answer := testbed.Do(t, http.MethodPost, c.agent.URL("/api/v1"), tt.header, tt.body); answer.Status != tt.status {
				t.Errorf("%s: %d %s, want %d", name, answer.Status, answer.Text(), tt.status)
			}
		}
	})
}

// Health checks by command run beside their task, in groups too; a task that fails
// them is killed.
func TestHealthChecks(t *testing.T) {
	eachRuntime(t, nil, func(t *testing.T, a *testbed.Agent, f *testbed.Framework) {
		check := func(command string) testbed.Object {
			return testbed.Object{
				"type": "COMMAND", "command": testbed.Object{"shell": true, "value": command}, "delay_seconds": 0.0,
				"interval_seconds": 0.1, "timeout_seconds": 5.0, "grace_period_seconds": 30.0, "consecutive_failures": 3,
			}
		}
		follow := func(task string) {
			t.Helper()
			f.Follow(task, "TASK_STARTING")
			if running := f.Follow(task, "TASK_RUNNING"); running.At("healthy").Exists() {
				t.Errorf("health is known too early: %v", running)
			}
			healthy := f.Follow(task, "TASK_RUNNING")
			if !healthy.At("healthy").True() || healthy.At("reason").Text() != "REASON_TASK_HEALTH_CHECK_STATUS_UPDATED" {
				t.Errorf("update %v", healthy)
			}
		}
		// The command finds what the task made in its sandbox.
		script := "touch alive; sleep 1000"
		offer := f.Offer()
		task := testbed.Task(offer, "command", script)
		task["health_check"] = check("test -e alive")
		f.Accept(offer, testbed.Launch(task))
		follow("command")

		g := newGroup(f, "e")
		g.launch(func(_ string, task testbed.Object) { task["health_check"] = check("test -e alive") }, "group", script)
		follow("group")

		for task, sandbox := range map[string]string{"command": a.Sandbox("command"), "group": a.Sandbox("e") + "/tasks/group"} {
			unlink(t, sandbox+"/alive")
			failures := 0
			for {
				status := f.Await("an update of "+task, func(v testbed.Value) bool {
					return v.At("update", "status", "task_id", "value").Text() == task
				}).At("update", "status")
				f.Acknowledge(status)
				if status.At("healthy").True() {
					t.Errorf("update %v", status)
				}
				if status.At("state").Text() == "TASK_KILLED" {
					break
				}
				failures++
			}
			if failures != 3 {
				t.Errorf("task %s was killed after %d failures", task, failures)
			}
		}
	})
}

// Checks tell what they found out, and nothing else happens.
func TestChecks(t *testing.T) {
	eachRuntime(t, nil, func(t *testing.T, _ *testbed.Agent, f *testbed.Framework) {
		check := testbed.Object{
			"type": "COMMAND", "command": testbed.Object{"command": testbed.Object{"shell": true, "value": "exit 7"}},
			"delay_seconds": 0.0, "interval_seconds": 0.2, "timeout_seconds": 5.0,
		}
		offer := f.Offer()
		task := testbed.Task(offer, "command", "sleep 1000")
		task["check"] = check
		f.Accept(offer, testbed.Launch(task))
		newGroup(f, "e").launch(func(_ string, task testbed.Object) { task["check"] = check }, "group", "sleep 1000")
		for _, task := range []string{"command", "group"} {
			for _, state := range []string{"TASK_STARTING", "TASK_RUNNING"} {
				if empty := f.Follow(task, state); empty.At("check_status", "type").Text() != "COMMAND" || empty.At("check_status", "command", "exit_code").Exists() {
					t.Errorf("update %v", empty)
				}
			}
			found := f.Follow(task, "TASK_RUNNING")
			if got := found.At("check_status", "command", "exit_code").Text(); got != "7" || found.At("reason").Text() != "REASON_TASK_CHECK_STATUS_UPDATED" {
				t.Errorf("update %v", found)
			}
		}
		f.Never(500*time.Millisecond, "an update without news", testbed.Type("UPDATE"))
	})
}
