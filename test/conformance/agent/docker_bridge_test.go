package agent

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/vishvananda/netlink"

	"github.com/mesos-operator/mesos-operator/internal/testkit/images"
	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// ownNetwork runs a test in a process with a network of its own.
func ownNetwork(t *testing.T) bool {
	t.Helper()
	const variable = "CONFORMANCE_OWN_NETWORK"
	if os.Getenv(variable) == t.Name() {
		lo, err := netlink.LinkByName("lo")
		if err == nil {
			err = netlink.LinkSetUp(lo)
		}
		if err != nil {
			t.Fatal(err)
		}
		return true
	}
	if os.Geteuid() != 0 {
		t.Skip("networks need root")
	}
	c := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v")
	// It has a run of its own, with directories of its own.
	c.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasSuffix(v, "="+testbed.RunDir())
	}), variable+"="+t.Name())
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	out, err := c.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
	return false
}

// server is a program that answers HTTP on a port of its own, without a library.
func server(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	source := `package main
import ("fmt"; "net/http")
func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "served") })
	fmt.Println(http.ListenAndServe(":8080", nil))
}`
	if err := os.WriteFile(filepath.Join(dir, "server.go"), []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "server"), filepath.Join(dir, "server.go"))
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the server: %v: %s", err, out)
	}
	program, err := os.ReadFile(filepath.Join(dir, "server"))
	if err != nil {
		t.Fatal(err)
	}
	return string(program)
}

// TestDockerBridge has a task with a port of the node as Marathon sends it: its health is checked within its own
// network, it is reached by the node's port, also while its agent is away, and nothing of it is left.
func TestDockerBridge(t *testing.T) {
	if !ownNetwork(t) {
		return
	}
	master, a, registry := dockerAgent(t, "--executor_reregistration_timeout=10secs")
	ref := registry.Push(t, "server", images.Of(t, v1.Config{Entrypoint: []string{"/server"}}, images.Layer(t, images.File{Name: "server", Contents: server(t)})))
	f := testbed.Subscribe(t, master, testbed.FrameworkOptions{Info: testbed.Object{"checkpoint": true}})
	defer f.Call("TEARDOWN", nil)
	offer := f.Offer()
	task := testbed.Task(offer, "task", "")
	task["command"] = testbed.Object{"shell": false}
	task["container"] = inDocker(ref, "BRIDGE", testbed.Object{"port_mappings": testbed.List{testbed.Object{"host_port": 31000, "container_port": 8080, "protocol": "tcp"}}})
	task["resources"] = append(task["resources"].(testbed.List), testbed.Object{"name": "ports", "type": "RANGES", "role": "*",
		"ranges": testbed.Object{"range": testbed.List{testbed.Object{"begin": 31000, "end": 31000}}}})
	task["health_check"] = testbed.Object{"type": "HTTP", "http": testbed.Object{"port": 8080, "path": "/"}, "delay_seconds": 0, "interval_seconds": 1, "grace_period_seconds": 60}
	task["check"] = testbed.Object{"type": "TCP", "tcp": testbed.Object{"port": 8080}, "delay_seconds": 0, "interval_seconds": 1}
	f.Accept(offer, testbed.Launch(task))
	running := next(f, "task", func(u testbed.Value) bool { return u.At("state").Text() == "TASK_RUNNING" })
	var data []struct{ NetworkSettings struct{ IPAddress string } }
	if text, err := base64.StdEncoding.DecodeString(running.At("data").Text()); err != nil || json.Unmarshal(text, &data) != nil || len(data) != 1 {
		t.Fatalf("data %q, error %v", text, err)
	}
	if ip := running.At("container_status", "network_infos", 0, "ip_addresses", 0, "ip_address").Text(); ip != "172.29.0.2" || data[0].NetworkSettings.IPAddress != ip {
		t.Errorf("addresses %q and %q", ip, data[0].NetworkSettings.IPAddress)
	}
	next(f, "task", func(u testbed.Value) bool {
		return u.At("healthy").True() && u.At("check_status", "tcp", "succeeded").True()
	})
	served := func() error {
		answer, err := http.Get("http://127.0.0.1:31000/")
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		if text, err := io.ReadAll(answer.Body); err != nil || string(text) != "served" {
			return fmt.Errorf("answer %q, error %w", text, err)
		}
		return nil
	}
	testbed.Eventually(t, "the node's port to answer", served)
	a.Kill()
	testbed.Eventually(t, "the node's port to answer while the agent is away", served)
	a.Start()
	testbed.Eventually(t, "the agent to be recovered", func() error {
		if answer := a.Operator(testbed.Object{"type": "GET_TASKS"}); answer.Status != 200 {
			return fmt.Errorf("answer %d", answer.Status)
		}
		return nil
	})
	testbed.Eventually(t, "the node's port to answer with the next agent", served)
	f.Call("KILL", testbed.Object{"task_id": testbed.Object{"value": "task"}, "agent_id": offer.At("agent_id").Raw()})
	next(f, "task", func(u testbed.Value) bool { return u.At("state").Text() == "TASK_KILLED" })
	testbed.Eventually(t, "the interfaces to go", func() error {
		links, err := netlink.LinkList()
		if err != nil || len(links) > 1 {
			return fmt.Errorf("there are %v, error %w", links, err)
		}
		return nil
	})
}

// next acknowledges a task's updates until one is wanted.
func next(f *testbed.Framework, task string, wanted func(update testbed.Value) bool) testbed.Value {
	return f.Await("an update of "+task, func(v testbed.Value) bool {
		u := v.At("update", "status")
		if u.At("task_id", "value").Text() != task {
			return false
		}
		if u.At("uuid").Exists() {
			f.Acknowledge(u)
		}
		return wanted(u)
	}).At("update", "status")
}
