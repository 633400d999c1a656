package agent

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// tcpSockets counts those of a process that are in the node's network.
func tcpSockets(t *testing.T, pid int) (n int) {
	t.Helper()
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	table := ""
	for _, name := range []string{"net/tcp", "net/tcp6"} {
		data, _ := os.ReadFile(filepath.Join(dir, name))
		table += string(data)
	}
	files, err := os.ReadDir(filepath.Join(dir, "fd"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		target, _ := os.Readlink(filepath.Join(dir, "fd", f.Name()))
		if inode, ok := strings.CutPrefix(target, "socket:["); ok && strings.Contains(table, " "+strings.TrimSuffix(inode, "]")+" ") {
			n++
		}
	}
	return n
}

func executorPID(status testbed.Value) int {
	return int(status.At("container_status", "executor_pid").Number())
}

// overSocket makes a request to the agent by its domain socket.
func overSocket(t *testing.T, socket, path string) int {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}}
	resp, err := client.Post("http://agent"+path, "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

// TestDomainSocket has both executors speak with the agent by its domain socket and nothing
// else, through a restart of the agent.
func TestDomainSocket(t *testing.T) {
	master := testbed.StartMaster(t)
	for _, runtime := range testbed.Runtimes() {
		t.Run(string(runtime), func(t *testing.T) {
			a := testbed.StartAgent(t, master.Address, runtime, "--http_executor_domain_sockets", "--executor_reregistration_timeout=15secs")
			socket := filepath.Join(a.Dir, "run", "agent.sock")
			f := testbed.Subscribe(t, master, testbed.FrameworkOptions{Info: testbed.Object{"checkpoint": true}})
			defer f.Call("TEARDOWN", nil)
			f.Run("command", "echo $MESOS_DOMAIN_SOCKET; sleep 1000")
			running := f.Follow("command", "TASK_STARTING", "TASK_RUNNING")
			newGroup(f, "default").launch(nil, "grouped", "sleep 1000")
			f.Follow("grouped", "TASK_STARTING", "TASK_RUNNING")
			if out := a.ReadFile(filepath.Join(a.Sandbox("command"), "stdout")); !strings.HasPrefix(out, socket+"\n") {
				t.Errorf("stdout %q", out)
			}
			if info, err := os.Stat(socket); err != nil || info.Mode().Perm() != 0o666 {
				t.Errorf("socket %v, %v", info, err)
			}
			other := a.Get("/containers").Find("default", "executor_id").At("status")
			for _, pid := range []int{executorPID(running), int(other.At("executor_pid").Number())} {
				if n := tcpSockets(t, pid); n > 0 {
					t.Errorf("executor %d has %d connections by TCP", pid, n)
				}
			}
			for path, want := range map[string]int{
				"/slave(1)/api/v1": http.StatusBadRequest, "/slave(1)/api/v1/executor": http.StatusBadRequest,
				"/slave(1)/state": http.StatusForbidden, "/health": http.StatusForbidden,
			} {
				if got := overSocket(t, socket, path); got != want {
					t.Errorf("%s by the socket: %d, want %d", path, got, want)
				}
			}
			a.Kill()
			a.Start()
			for _, task := range []string{"command", "grouped"} {
				f.Call("KILL", testbed.Object{"task_id": testbed.Object{"value": task}})
				f.FollowTo(task, "TASK_KILLED")
			}
			if got := overSocket(t, socket, "/slave(1)/api/v1/executor"); got != http.StatusBadRequest {
				t.Errorf("after the restart: %d", got)
			}
		})
	}
}

// TestDomainSocketIsTaken: an agent does not replace another file by its socket.
func TestDomainSocketIsTaken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("precious"), 0o644); err != nil {
		t.Fatal(err)
	}
	a := testbed.NewAgent(t, "127.0.0.1:1", testbed.Posix, "--http_executor_domain_sockets", "--domain_socket_location="+path)
	a.Launch()
	if state := a.AwaitEnd(); state.Success() {
		t.Error("the agent ended well")
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != "precious" {
		t.Errorf("the file is %q, %v", data, err)
	}
}

// TestDomainSocketInImage: executors in images find the socket too, and the one that a
// restarted agent makes; what has no place for it goes by TCP.
func TestDomainSocketInImage(t *testing.T) {
	master, a, registry := imageAgent(t, "--http_executor_domain_sockets", "--executor_reregistration_timeout=15secs")
	ref := tool(t, registry, "tool", v1.Config{})
	f := testbed.Subscribe(t, master, testbed.FrameworkOptions{Info: testbed.Object{"checkpoint": true}})
	defer f.Call("TEARDOWN", nil)
	offer := f.Offer()
	task := testbed.Task(offer, "task", `ls -d "$MESOS_DOMAIN_SOCKET"; sleep 1000`)
	task["container"] = in(ref)
	f.Accept(offer, testbed.Launch(task))
	running := f.Follow("task", "TASK_STARTING", "TASK_RUNNING")
	want := filepath.Join(a.Dir, "run", "executor", "agent.sock") + "\n"
	testbed.Eventually(t, "the task to find the socket", func() error {
		if out := a.ReadFile(filepath.Join(a.Sandbox("task"), "stdout")); out != want {
			return fmt.Errorf("stdout %q, want %q", out, want)
		}
		return nil
	})
	if n := tcpSockets(t, executorPID(running)); n > 0 {
		t.Errorf("the executor has %d connections by TCP", n)
	}
	a.Kill()
	a.Start()
	f.Call("KILL", testbed.Object{"task_id": testbed.Object{"value": "task"}})
	f.FollowTo("task", "TASK_KILLED")
}
