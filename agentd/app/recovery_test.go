package app

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mesos-operator/mesos-operator/agentd/engine/enginetest"
	"github.com/mesos-operator/mesos-operator/agentd/executor"
	"github.com/mesos-operator/mesos-operator/agentd/fetcher"
	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/version"
)

// daemonVariable makes the test's binary an agentd, as which it also starts
// executors; the stage "launch" takes over by itself.
const daemonVariable = "AGENTD_TEST_DAEMON"

// The test binary is also the agent and executord.
func TestMain(m *testing.M) {
	switch {
	case len(os.Args) == 2 && os.Args[1] == "version":
		fmt.Println(version.Build())
		os.Exit(0)
	case len(os.Args) > 1 && os.Args[1] == executor.Name:
		os.Exit(executor.Main(os.Args[2:]))
	case len(os.Args) > 1 && os.Args[1] == fetcher.Name:
		os.Exit(fetcher.Main(os.Args[2:]))
	case os.Getenv(daemonVariable) != "":
		os.Exit(Main(os.Args[1:], nil, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// daemon is an agentd in a process of its own.
type daemon struct {
	t       *testing.T
	cmd     *exec.Cmd
	address string
	log     string
}

// executordDir is a directory with an executord: the test binary.
func executordDir(t *testing.T) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(exe, filepath.Join(dir, executord)); err != nil {
		t.Fatal(err)
	}
	return dir
}

func startDaemon(t *testing.T, address, master, dir string, more ...string) *daemon {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	d := &daemon{t: t, address: address, log: filepath.Join(dir, fmt.Sprintf("agent-%d.log", time.Now().UnixNano()))}
	log, err := os.Create(d.log)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	d.cmd = exec.Command(os.Args[0], append([]string{
		"--master=" + master, "--ip=127.0.0.1", "--port=" + port, "--work_dir=" + filepath.Join(dir, "work"),
		"--launcher_dir=" + executordDir(t), "--runtime_dir=" + filepath.Join(dir, "run"), "--launcher=posix", "--hostname=agent.example",
		"--registration_backoff_factor=10ms", "--no-switch_user",
		"--recovery_timeout=20secs", // after which executors that a failed test leaves behind end "--resources=cpus:2;mem:512;disk:1024;ports:[31000-31010]",
	}, more...)...)
	d.cmd.Env = append(os.Environ(), daemonVariable+"=1")
	d.cmd.Stdout, d.cmd.Stderr = log, log
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.kill)
	return d
}

// kill is kill -9.
func (d *daemon) kill() {
	if d.cmd.ProcessState != nil {
		return
	}
	_ = d.cmd.Process.Kill()
	_ = d.cmd.Wait()
	if d.t.Failed() {
		log, _ := os.ReadFile(d.log)
		d.t.Logf("%s", log)
	}
}

// freeAddress is one that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func shellTask(command string) *messages.RunTaskMessage {
	scalar := func(name string, v float64) *mesos.Resource {
		return &mesos.Resource{Name: &name, Type: mesos.Value_SCALAR.Enum(), Scalar: &mesos.Value_Scalar{Value: &v}}
	}
	return &messages.RunTaskMessage{
		LaunchExecutor: new(true),
		Framework: &mesos.FrameworkInfo{
			Id: &mesos.FrameworkID{Value: new("f")}, User: new(""), Name: new("n"), Checkpoint: new(true), Role: new("*"),
		},
		Task: &mesos.TaskInfo{
			Name: new("t"), TaskId: &mesos.TaskID{Value: new("t")}, AgentId: &mesos.AgentID{Value: new("m-S0")},
			Command:   &mesos.CommandInfo{Value: &command},
			Resources: []*mesos.Resource{scalar("cpus", 0.1), scalar("mem", 32)},
		},
	}
}

func get(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// TestTaskSurvivesKill kills the agent twice with a task: the first time the task
// goes on, the second time it ends while there is no agent.
func TestTaskSurvivesKill(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	dir, master := shortTempDir(t), enginetest.NewMaster(t)
	address := freeAddress(t)
	gate := filepath.Join(dir, "gate")
	d := startDaemon(t, address, master.Address(), dir)
	enginetest.Expect[*messages.UpdateSlaveMessage](master)
	master.Send(shellTask("echo started; while ! test -e " + gate + "; do sleep 0.05; done; echo over; exit 3"))
	master.Acknowledge(master.Update(mesos.TaskState_TASK_STARTING))
	running := master.Update(mesos.TaskState_TASK_RUNNING)
	pid := running.GetStatus().GetContainerStatus().GetExecutorPid()
	d.kill()
	if err := exec.Command("kill", "-0", fmt.Sprint(pid)).Run(); err != nil {
		t.Fatalf("the executor %d died with the agent", pid)
	}

	d = startDaemon(t, address, master.Address(), dir)
	again := enginetest.Expect[*messages.ReregisterSlaveMessage](master)
	if len(again.GetTasks()) != 1 || again.GetTasks()[0].GetState() != mesos.TaskState_TASK_RUNNING {
		t.Errorf("reregistered with %v", again.GetTasks())
	}
	if again.GetSlave().GetId().GetValue() != "m-S0" {
		t.Errorf("reregistered as %v", again.GetSlave().GetId())
	}
	master.Acknowledge(master.Update(mesos.TaskState_TASK_RUNNING)) // it was not acknowledged
	state := get(t, "http://"+address+"/state")
	if !strings.Contains(state, `"state":"TASK_RUNNING"`) {
		t.Errorf("/state: %s", state)
	}
	d.kill()

	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	time.Sleep(300 * time.Millisecond) // the task ends, with nobody to tell
	startDaemon(t, address, master.Address(), dir)
	for { // the last acknowledgement may have been lost with the agent
		u := enginetest.Expect[*messages.StatusUpdateMessage](master).GetUpdate()
		master.Acknowledge(u)
		if u.GetStatus().GetState() == mesos.TaskState_TASK_RUNNING {
			continue
		}
		if got := u.GetStatus(); got.GetState() != mesos.TaskState_TASK_FAILED ||
			!strings.Contains(got.GetMessage(), "exited with status 3") {
			t.Errorf("the last update says %v", got)
		}
		break
	}
	stdout, err := filepath.Glob(filepath.Join(dir, "work/slaves/m-S0/frameworks/f/executors/t/runs/*-*/stdout"))
	if err != nil || len(stdout) != 1 {
		t.Fatal(stdout, err)
	}
	if out, err := os.ReadFile(stdout[0]); err != nil || !strings.HasSuffix(string(out), "over\n") {
		t.Errorf("stdout %q, %v", out, err)
	}
}

// TestURIs has a task find what it asked for.
func TestURIs(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	dir, master := shortTempDir(t), enginetest.NewMaster(t)
	source := filepath.Join(dir, "greeting")
	if err := os.WriteFile(source, []byte("hello"), 0o644); err != nil {
		t.Fatal(err)
	}
	startDaemon(t, freeAddress(t), master.Address(), dir)
	enginetest.Expect[*messages.UpdateSlaveMessage](master)
	task := shellTask(`test "$(cat greeting)" = hello`)
	task.Task.Command.Uris = []*mesos.CommandInfo_URI{{Value: &source}}
	master.Send(task)
	for _, s := range []mesos.TaskState{
		mesos.TaskState_TASK_STARTING, mesos.TaskState_TASK_RUNNING, mesos.TaskState_TASK_FINISHED,
	} {
		master.Acknowledge(master.Update(s))
	}
}

// TestMissingURI fails a task before it starts.
func TestMissingURI(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	dir, master := shortTempDir(t), enginetest.NewMaster(t)
	startDaemon(t, freeAddress(t), master.Address(), dir)
	enginetest.Expect[*messages.UpdateSlaveMessage](master)
	task := shellTask("true")
	task.Task.Command.Uris = []*mesos.CommandInfo_URI{{Value: new("/does/not/exist")}}
	master.Send(task)
	failed := master.Update(mesos.TaskState_TASK_FAILED).GetStatus()
	if failed.GetReason() != mesos.TaskStatus_REASON_CONTAINER_LAUNCH_FAILED {
		t.Errorf("%v", failed)
	}
}

// TestKilledExecutorIsNoticed kills the executor while there is no agent: the exit
// is known from what the launch stage wrote.
func TestKilledExecutorIsNoticed(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	dir, master := shortTempDir(t), enginetest.NewMaster(t)
	address := freeAddress(t)
	d := startDaemon(t, address, master.Address(), dir)
	enginetest.Expect[*messages.UpdateSlaveMessage](master)
	master.Send(shellTask("sleep 1000"))
	master.Acknowledge(master.Update(mesos.TaskState_TASK_STARTING))
	running := master.Update(mesos.TaskState_TASK_RUNNING)
	d.kill()
	pid := fmt.Sprint(running.GetStatus().GetContainerStatus().GetExecutorPid())
	if err := exec.Command("kill", "-9", pid).Run(); err != nil {
		t.Fatal(err)
	}
	startDaemon(t, address, master.Address(), dir)
	master.Acknowledge(master.Update(mesos.TaskState_TASK_RUNNING))
	failed := master.Update(mesos.TaskState_TASK_FAILED)
	if failed.GetStatus().GetReason() != mesos.TaskStatus_REASON_EXECUTOR_TERMINATED {
		t.Errorf("%v", failed.GetStatus())
	}
}

// shortTempDir is a temporary directory that everybody may enter.
func shortTempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "agentd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}
