package executor

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/executor"
	"github.com/mesos-operator/mesos-operator/internal/codec"
	"github.com/mesos-operator/mesos-operator/internal/recordio"
)

// The test binary is the executor when it is started as one.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == Name {
		os.Exit(Main(os.Args[2:]))
	}
	os.Exit(m.Run())
}

// agentFor serves the executor API for one executor: it launches a task when
// that subscribes, acknowledges every update, and passes updates on.
type agentFor struct {
	task    *mesos.TaskInfo
	updates chan *mesos.TaskStatus
	say     chan *executor.Event
}

func (a *agentFor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	call := &executor.Call{}
	if err := codec.Unmarshal(r.Header.Get("Content-Type"), body, call); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	switch call.GetType() {
	case executor.Call_UPDATE:
		w.WriteHeader(http.StatusAccepted)
		s := call.GetUpdate().GetStatus()
		a.updates <- s
		a.say <- &executor.Event{Type: executor.Event_ACKNOWLEDGED.Enum(),
			Acknowledged: &executor.Event_Acknowledged{TaskId: s.GetTaskId(), Uuid: s.GetUuid()}}
	case executor.Call_SUBSCRIBE:
		a.stream(w, r, call)
	}
}

func (a *agentFor) stream(w http.ResponseWriter, r *http.Request, call *executor.Call) {
	send := func(e *executor.Event) {
		payload, err := codec.Marshal(codec.JSON, e)
		if err != nil {
			panic(err)
		}
		_, _ = w.Write(recordio.AppendRecord(nil, payload))
		w.(http.Flusher).Flush()
	}
	send(&executor.Event{Type: executor.Event_SUBSCRIBED.Enum(), Subscribed: &executor.Event_Subscribed{
		ExecutorInfo:  &mesos.ExecutorInfo{ExecutorId: call.GetExecutorId()},
		FrameworkInfo: &mesos.FrameworkInfo{User: new("u"), Name: new("n")},
		AgentInfo:     &mesos.AgentInfo{Hostname: new("h")},
	}})
	if len(call.GetSubscribe().GetUnacknowledgedUpdates()) == 0 {
		send(&executor.Event{Type: executor.Event_LAUNCH.Enum(), Launch: &executor.Event_Launch{Task: a.task}})
	}
	for {
		select {
		case e := <-a.say:
			send(e)
		case <-r.Context().Done():
			return
		}
	}
}

type executorProcess struct {
	*exec.Cmd
	agent *agentFor
	dir   string
}

// start starts an executor of its own process for a shell command.
func start(t *testing.T, script string) *executorProcess {
	t.Helper()
	id := &mesos.TaskID{Value: new("t1")}
	a := &agentFor{
		task: &mesos.TaskInfo{Name: new("t1"), TaskId: id, AgentId: &mesos.AgentID{Value: new("a")},
			Command: &mesos.CommandInfo{Value: &script}},
		updates: make(chan *mesos.TaskStatus, 10),
		say:     make(chan *executor.Event, 10),
	}
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	t.Cleanup(server.CloseClientConnections)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &executorProcess{Cmd: exec.Command(exe, Name), agent: a, dir: t.TempDir()}
	p.Dir = p.dir
	p.Env = []string{
		"PATH=" + os.Getenv("PATH"), "MESOS_FRAMEWORK_ID=f", "MESOS_EXECUTOR_ID=t1",
		"MESOS_SLAVE_PID=slave(1)@" + server.Listener.Addr().(*net.TCPAddr).String(), "MESOS_CHECKPOINT=1",
		"MESOS_RECOVERY_TIMEOUT=1mins", "MESOS_SUBSCRIPTION_BACKOFF_MAX=10ms", "MESOS_EXECUTOR_AUTHENTICATION_TOKEN=secret",
	}
	for name, f := range map[string]*io.Writer{"stdout": &p.Stdout, "stderr": &p.Stderr} {
		file, err := os.Create(filepath.Join(p.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { file.Close() })
		*f = file
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Process.Kill(); _ = p.Wait() })
	return p
}

func (p *executorProcess) expect(t *testing.T, states ...mesos.TaskState) *mesos.TaskStatus {
	t.Helper()
	var last *mesos.TaskStatus
	for _, want := range states {
		select {
		case last = <-p.agent.updates:
			if last.GetState() != want {
				t.Fatalf("update %v, want %v", last, want)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("no update to %v", want)
		}
	}
	return last
}

func TestMainRunsTask(t *testing.T) {
	p := start(t, `echo out; env | grep -c TOKEN; exit 2`)
	last := p.expect(t, mesos.TaskState_TASK_STARTING, mesos.TaskState_TASK_RUNNING, mesos.TaskState_TASK_FAILED)
	if last.GetMessage() != "Command exited with status 2" {
		t.Errorf("%v", last)
	}
	if err := p.Wait(); err != nil {
		t.Errorf("the executor ended with %v", err)
	}
	if out, err := os.ReadFile(filepath.Join(p.dir, "stdout")); err != nil || string(out) != "out\n0\n" {
		t.Errorf("stdout %q, error %v", out, err)
	}
}

func TestMainKillsTask(t *testing.T) {
	p := start(t, `(setsid sleep 60 &); trap "" TERM; echo up; sleep 60; sleep 60`)
	p.expect(t, mesos.TaskState_TASK_STARTING, mesos.TaskState_TASK_RUNNING)
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if out, err := os.ReadFile(filepath.Join(p.dir, "stdout")); err == nil && len(out) > 0 {
			break
		}
	}
	p.agent.say <- &executor.Event{Type: executor.Event_KILL.Enum(), Kill: &executor.Event_Kill{
		TaskId:     &mesos.TaskID{Value: new("t1")},
		KillPolicy: &mesos.KillPolicy{GracePeriod: &mesos.DurationInfo{Nanoseconds: new(int64(50 * time.Millisecond))}},
	}}
	if last := p.expect(t, mesos.TaskState_TASK_KILLED); last.GetMessage() != "Command terminated with signal Killed" {
		t.Errorf("%v", last)
	}
	if err := p.Wait(); err != nil {
		t.Errorf("the executor ended with %v", err)
	}
}

func TestMainWithoutAgent(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, Name)
	cmd.Env = []string{}
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != 2 || !strings.Contains(string(out), "MESOS_FRAMEWORK_ID is not set") {
		t.Errorf("%s, error %v", out, err)
	}
}

// Each task costs an executor: the target is 12 MB that no other process shares.
func TestPrivateMemory(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector keeps books in memory")
	}
	p := start(t, "sleep 60")
	p.expect(t, mesos.TaskState_TASK_STARTING, mesos.TaskState_TASK_RUNNING)
	time.Sleep(200 * time.Millisecond)
	private, err := privateBytes(p.Process.Pid)
	if err != nil {
		t.Skip(err)
	}
	t.Logf("%.1f MB private", float64(private)/(1<<20))
	if private > 12<<20 {
		t.Errorf("%d bytes", private)
	}
}

// privateBytes is what a process would give back, without pages of files: other
// executors have those as well.
func privateBytes(pid int) (int, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/smaps", pid))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	total := 0
	for lines := bufio.NewScanner(f); lines.Scan(); {
		name, rest, _ := strings.Cut(lines.Text(), ":")
		if name == "Private_Dirty" {
			kb, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				return 0, err
			}
			total += kb << 10
		}
	}
	return total, nil
}
