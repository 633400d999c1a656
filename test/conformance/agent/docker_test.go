package agent

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/mesos-operator/mesos-operator/internal/testkit/images"
	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// dockerAgent starts a master, an agent as one of Mesos's with a Docker daemon is started, and a
// registry.
func dockerAgent(t *testing.T, flags ...string) (*testbed.Master, *testbed.Agent, *images.Registry) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("Docker containers need root")
	}
	master, registry := testbed.StartMaster(t), images.NewRegistry(t)
	a := testbed.NewAgent(t, master.Address, testbed.Posix, append([]string{"--containerizers=docker,mesos", "--launcher=linux"}, flags...)...)
	a.SetFlags("--docker_store_dir=" + filepath.Join(a.Dir, "store"))
	a.Start()
	t.Cleanup(func() { noRootsLeft(t, a) })
	return master, a, registry
}

// inDocker is a ContainerInfo as Marathon sends it; more goes into its "docker".
func inDocker(ref, network string, more testbed.Object) testbed.Object {
	d := testbed.Object{"image": ref, "network": network, "privileged": false, "force_pull_image": true, "parameters": testbed.List{}}
	for k, v := range more {
		d[k] = v
	}
	return testbed.Object{"type": "DOCKER", "docker": d, "volumes": testbed.List{}}
}

// TestDockerTask runs tasks as Marathon sends them.
func TestDockerTask(t *testing.T) {
	master, a, registry := dockerAgent(t)
	ref := tool(t, registry, "tool", v1.Config{
		Env: []string{"FROM=image"}, WorkingDir: "/tmp", Entrypoint: []string{"/bin/sh", "-c"}, Cmd: []string{`echo "default $FROM"`},
	})
	f := testbed.Subscribe(t, master, testbed.FrameworkOptions{Info: testbed.Object{"checkpoint": true}})
	defer f.Call("TEARDOWN", nil)
	env := testbed.Object{"variables": testbed.List{testbed.Object{"name": "PORT0", "value": "31000"}}}
	for name, tt := range map[string]struct {
		command, docker testbed.Object
		network, want   string
	}{
		"shell": {command: testbed.Object{"shell": true, "value": `echo "$(cat /mark) $(pwd) $MESOS_SANDBOX $FROM $PORT0 $LIBPROCESS_PORT"; ls $MESOS_SANDBOX/stdout`, "environment": env},
			want: "tool /tmp /mnt/mesos/sandbox image 31000 \n/mnt/mesos/sandbox/stdout\n"},
		"role":      {command: testbed.Object{"shell": true, "value": `echo "$MESOS_ALLOCATION_ROLE"`}, want: "*\n"},
		"image":     {command: testbed.Object{"shell": false}, want: "default image\n"},
		"arguments": {command: testbed.Object{"shell": false, "arguments": testbed.List{"echo theirs"}}, want: "theirs\n"},
		"options": {command: testbed.Object{"shell": true, "value": "echo $A $(id -u)"}, docker: testbed.Object{"parameters": testbed.List{
			testbed.Object{"key": "env", "value": "A=b"}, testbed.Object{"key": "user", "value": "77"}}}, want: "b 77\n"},
		"privileged": {command: testbed.Object{"shell": true, "value": "[ -w /proc/sys/vm/swappiness ] && echo all"},
			docker: testbed.Object{"privileged": true}, want: "all\n"},
		"none": {command: testbed.Object{"shell": true, "value": "grep -c : /proc/net/dev; hostname | grep -c ."}, network: "NONE", want: "1\n1\n"},
	} {
		t.Run(name, func(t *testing.T) {
			offer := f.Offer()
			task := testbed.Task(offer, name, "")
			network := tt.network
			if network == "" {
				network = "HOST"
			}
			task["command"], task["container"] = tt.command, inDocker(ref, network, tt.docker)
			f.Accept(offer, testbed.Launch(task))
			f.Follow(name, "TASK_STARTING")
			running := f.Follow(name, "TASK_RUNNING")
			ended := f.Follow(name, "TASK_FINISHED")
			if out := a.ReadFile(filepath.Join(a.Sandbox(name), "stdout")); out != tt.want {
				t.Errorf("stdout %q, want %q; stderr %q", out, tt.want, a.ReadFile(filepath.Join(a.Sandbox(name), "stderr")))
			}
			if m := ended.At("message").Text(); m != "Container exited with status 0" {
				t.Errorf("message %q", m)
			}
			inspected(t, running, strings.ToLower(network))
		})
	}
}

// inspected checks what clients read of "docker inspect" in the data of a status.
func inspected(t *testing.T, status testbed.Value, network string) {
	t.Helper()
	var got []struct {
		Name            string
		HostConfig      struct{ NetworkMode string }
		NetworkSettings struct{ IPAddress *string }
	}
	data, err := base64.StdEncoding.DecodeString(status.At("data").Text())
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &got); err != nil || len(got) != 1 {
		t.Fatalf("data %q: %v", status.At("data").Text(), err)
	}
	if got[0].HostConfig.NetworkMode != network || !strings.HasPrefix(got[0].Name, "/mesos-") || got[0].NetworkSettings.IPAddress == nil {
		t.Errorf("data %+v", got)
	}
}

// TestDockerVolumes has a task with directories of the node, of its sandbox, and one that is made.
func TestDockerVolumes(t *testing.T) {
	master, a, registry := dockerAgent(t)
	ref := tool(t, registry, "tool", v1.Config{})
	f := testbed.Subscribe(t, master, testbed.FrameworkOptions{})
	defer f.Call("TEARDOWN", nil)
	node := t.TempDir()
	if err := os.WriteFile(filepath.Join(node, "file"), []byte("node\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	offer := f.Offer()
	task := testbed.Task(offer, "task", `cat /node/file; echo x > /node/x || echo read-only; echo there > /made/by-task; echo in > /data/f; cat $MESOS_SANDBOX/data/f`)
	container := inDocker(ref, "HOST", nil)
	container["volumes"] = testbed.List{
		testbed.Object{"mode": "RO", "host_path": node, "container_path": "/node"},
		testbed.Object{"mode": "RW", "host_path": filepath.Join(node, "made/deep"), "container_path": "/made"},
		testbed.Object{"mode": "RW", "host_path": "data", "container_path": "/data"},
	}
	task["container"] = container
	f.Accept(offer, testbed.Launch(task))
	f.Follow("task", "TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED")
	if out := a.ReadFile(filepath.Join(a.Sandbox("task"), "stdout")); out != "node\nread-only\nin\n" {
		t.Errorf("stdout %q", out)
	}
	if out, err := os.ReadFile(filepath.Join(node, "made/deep/by-task")); err != nil || string(out) != "there\n" {
		t.Errorf("on the node: %q, %v", out, err)
	}
}

// TestDockerRefused tells tasks that ask for what there is not, by its name.
func TestDockerRefused(t *testing.T) {
	master, _, registry := dockerAgent(t)
	ref := tool(t, registry, "tool", v1.Config{})
	f := testbed.Subscribe(t, master, testbed.FrameworkOptions{})
	defer f.Call("TEARDOWN", nil)
	fails := func(name, state, want string, container testbed.Object) {
		t.Helper()
		offer := f.Offer()
		task := testbed.Task(offer, name, "true")
		task["container"] = container
		f.Accept(offer, testbed.Launch(task))
		if failed := f.Follow(name, state); !strings.Contains(failed.At("message").Text(), want) {
			t.Errorf("%s: %v, want a message with %q", name, failed, want)
		}
	}
	fails("parameter", "TASK_FAILED", "parameter 'log-opt'", inDocker(ref, "HOST", testbed.Object{"parameters": testbed.List{testbed.Object{"key": "log-opt", "value": "max-size=1m"}}}))
	fails("network", "TASK_FAILED", "no network 'weave'", inDocker(ref, "HOST", testbed.Object{"parameters": testbed.List{testbed.Object{"key": "net", "value": "weave"}}}))
	fails("port", "TASK_FAILED", "port 80 is not among the task's resources", inDocker(ref, "BRIDGE", testbed.Object{"port_mappings": testbed.List{testbed.Object{"host_port": 80, "container_port": 80}}}))
	fails("image", "TASK_FAILED", "image", inDocker(registry.Host+"/nothing", "HOST", nil))
	fails("nothing", "TASK_ERROR", "'docker'", testbed.Object{"type": "DOCKER"})
}

// TestDockerNotNamed has an agent of which --containerizers doesn't name them.
func TestDockerNotNamed(t *testing.T) {
	for name, tt := range map[string]struct {
		flag      string
		container testbed.Object
		want      string
	}{
		"mesos only":  {"mesos", inDocker("x", "HOST", nil), "(mesos)"},
		"docker only": {"docker", nil, "(docker)"},
	} {
		t.Run(name, func(t *testing.T) {
			master, _, _ := dockerAgent(t, "--containerizers="+tt.flag)
			f := testbed.Subscribe(t, master, testbed.FrameworkOptions{})
			defer f.Call("TEARDOWN", nil)
			offer := f.Offer()
			task := testbed.Task(offer, "task", "true")
			if tt.container != nil {
				task["container"] = tt.container
			}
			f.Accept(offer, testbed.Launch(task))
			failed := f.Follow("task", "TASK_FAILED")
			if !strings.Contains(failed.At("message").Text(), tt.want) || failed.At("reason").Text() != "REASON_CONTAINER_LAUNCH_FAILED" {
				t.Errorf("status %v", failed)
			}
		})
	}
}

// TestDockerOfKilledAgent kills an agent while tasks run, one of which has no network but the agent's
// socket. The next agent finds them, checks go on, and they are killed with a grace.
func TestDockerOfKilledAgent(t *testing.T) {
	master, a, registry := dockerAgent(t, "--executor_reregistration_timeout=10secs")
	ref := tool(t, registry, "tool", v1.Config{})
	f := testbed.Subscribe(t, master, testbed.FrameworkOptions{Info: testbed.Object{"checkpoint": true}})
	defer f.Call("TEARDOWN", nil)
	networks := []string{"HOST", "NONE"}
	for _, network := range networks {
		offer := f.Offer()
		task := testbed.Task(offer, network, `trap 'echo bye; exit 7' TERM; echo up > $MESOS_SANDBOX/up; while :; do sleep 0.1; done`)
		task["container"] = inDocker(ref, network, nil)
		task["health_check"] = testbed.Object{"type": "COMMAND", "command": testbed.Object{"value": "grep -q tool /mark && [ -e $MESOS_SANDBOX/up ]"},
			"delay_seconds": 0, "interval_seconds": 1, "grace_period_seconds": 30}
		f.Accept(offer, testbed.Launch(task))
		f.Follow(network, "TASK_STARTING", "TASK_RUNNING")
		if healthy := f.Follow(network, "TASK_RUNNING"); !healthy.At("healthy").True() {
			t.Errorf("status %v", healthy)
		}
	}
	a.Kill()
	a.Start()
	testbed.Eventually(t, "the agent to be recovered", func() error {
		answer := a.Operator(testbed.Object{"type": "GET_TASKS"})
		if n := strings.Count(string(answer.Body), `"state":"TASK_RUNNING"`); answer.Status != 200 || n < len(networks) {
			return fmt.Errorf("answer %d with %d tasks that run", answer.Status, n)
		}
		return nil
	})
	for _, network := range networks {
		f.Call("KILL", testbed.Object{"task_id": testbed.Object{"value": network}})
		killed := next(f, network, func(u testbed.Value) bool { return u.At("state").Text() == "TASK_KILLED" })
		if m := killed.At("message").Text(); m != "Container exited with status 7" {
			t.Errorf("message %q", m)
		}
		if out := a.ReadFile(filepath.Join(a.Sandbox(network), "stdout")); out != "bye\n" {
			t.Errorf("stdout %q", out)
		}
	}
}
