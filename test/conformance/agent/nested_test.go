package agent

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/agent"
	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// each starts an agent for each runtime and runs a test in each encoding.
func each(t *testing.T, test func(t *testing.T, c *client, f *testbed.Framework)) {
	master := testbed.StartMaster(t)
	for _, runtime := range testbed.Runtimes() {
		a := testbed.StartAgent(t, master.Address, runtime)
		for _, encoding := range encodings {
			t.Run(string(runtime)+"/"+encoding, func(t *testing.T) {
				f := testbed.Subscribe(t, master, testbed.FrameworkOptions{Info: testbed.Object{"checkpoint": true}})
				defer f.Call("TEARDOWN", nil)
				test(t, &client{t, a, encoding}, f)
			})
		}
		a.Terminate()
	}
}

// executorOf runs a task and returns the container of its executor.
func executorOf(c *client, f *testbed.Framework, task string) *mesos.ContainerID {
	c.t.Helper()
	f.Run(task, "sleep 1000")
	running := f.Follow(task, "TASK_STARTING", "TASK_RUNNING")
	return &mesos.ContainerID{Value: new(running.At("container_status", "container_id", "value").Text())}
}

func TestNested(t *testing.T) {
	each(t, func(t *testing.T, c *client, f *testbed.Framework) {
		c.t = t
		task := "nested-" + strings.ReplaceAll(t.Name(), "/", "-")
		root := executorOf(c, f, task)
		child, sleeper := nested(root, "child"), testbed.NewSleeper()
		c.want(http.StatusOK, launch(child, sleeper.Command()))
		c.want(http.StatusAccepted, launch(child, "true"))
		c.want(http.StatusAccepted, launchNested(child, "true"))
		grandchild := nested(child, "grandchild")
		c.want(http.StatusOK, launchNested(grandchild, "echo deep; exit 3"))
		same(t, c.want(http.StatusOK, await(grandchild)), &agent.Response{
			Type: agent.Response_WAIT_CONTAINER.Enum(), WaitContainer: &agent.Response_WaitContainer{ExitStatus: new(int32(3 << 8))},
		})
		same(t, c.want(http.StatusOK, awaitNested(grandchild)), &agent.Response{
			Type:                agent.Response_WAIT_NESTED_CONTAINER.Enum(),
			WaitNestedContainer: &agent.Response_WaitNestedContainer{ExitStatus: new(int32(3 << 8))},
		})
		sandbox := c.agent.Sandbox(task)
		if out := c.agent.ReadFile(filepath.Join(sandbox, "containers/child/containers/grandchild/stdout")); out != "deep\n" {
			t.Errorf("stdout %q", out)
		}

		listed := c.containers(true, false)
		if len(listed) != 2 || listed[root.GetValue()] == nil || listed[name(child)] == nil {
			t.Errorf("containers %v", listed)
		}
		if entry := listed[name(child)]; entry.GetExecutorId() != nil || entry.GetResourceStatistics() == nil {
			t.Errorf("nested container %v", entry)
		}
		if listed := c.containers(false, false); len(listed) != 1 {
			t.Errorf("containers %v", listed)
		}

		c.want(http.StatusInternalServerError, removeNested(child))
		c.want(http.StatusOK, kill(child, new(int32(syscall.SIGTERM))))
		waited := c.want(http.StatusOK, await(child)).GetWaitContainer()
		if waited.GetExitStatus() != int32(syscall.SIGTERM) {
			t.Errorf("it ended with %v", waited)
		}
		sleeper.AwaitEnd(t)
		c.want(http.StatusNotFound, killNested(child, nil))
		c.want(http.StatusOK, removeNested(child))
		c.want(http.StatusNotFound, await(child))
		if _, err := os.Stat(filepath.Join(sandbox, "containers/child")); err == nil {
			t.Error("the sandbox is left")
		}

		// The end of the executor ends what is nested.
		last, sleeper := nested(root, "last"), testbed.NewSleeper()
		c.want(http.StatusOK, launch(last, sleeper.Command()))
		sleeper.PID(t)
		f.Call("KILL", testbed.Object{"task_id": testbed.Object{"value": task}})
		f.Follow(task, "TASK_KILLED")
		sleeper.AwaitEnd(t)
		testbed.Eventually(t, "nothing is left", func() error {
			if status, text, _ := c.call(await(last)); status != http.StatusNotFound {
				return errorf("%d %s", status, text)
			}
			return nil
		})
		c.want(http.StatusInternalServerError, remove(last))
	})
}

func TestNestedRefused(t *testing.T) {
	each(t, func(t *testing.T, c *client, f *testbed.Framework) {
		c.t = t
		nobody := &mesos.ContainerID{Value: new("nobody")}
		lone := nested(nobody, "x")
		c.want(http.StatusBadRequest, launch(lone, "true"))
		c.want(http.StatusBadRequest, launchNested(lone, "true"))
		c.want(http.StatusBadRequest, launchNested(nobody, "true"))
		c.want(http.StatusNotFound, await(nobody))
		c.want(http.StatusNotFound, awaitNested(lone))
		c.want(http.StatusNotFound, kill(nobody, nil))
		c.want(http.StatusNotFound, killNested(lone, nil))
		for _, id := range []string{"", ".", "a.b", "a b", "a/b", "a\x00b", strings.Repeat("x", 243)} {
			c.want(http.StatusBadRequest, launch(&mesos.ContainerID{Value: &id}, "true"))
			c.want(http.StatusBadRequest, await(nested(nobody, id)))
		}
		docker := launch(nobody, "true")
		docker.LaunchContainer.Container = &mesos.ContainerInfo{
			Type: mesos.ContainerInfo_DOCKER.Enum(), Docker: &mesos.ContainerInfo_DockerInfo{Image: new("x")},
		}
		c.want(http.StatusBadRequest, docker)
		deep := launch(nested(lone, "y"), "true")
		deep.LaunchContainer.Resources = []*mesos.Resource{{
			Name: new("cpus"), Type: mesos.Value_SCALAR.Enum(), Scalar: &mesos.Value_Scalar{Value: new(0.1)},
		}}
		c.want(http.StatusBadRequest, deep)
	})
}

func TestStandalone(t *testing.T) {
	each(t, func(t *testing.T, c *client, f *testbed.Framework) {
		c.t = t
		id := &mesos.ContainerID{Value: new("alone-" + strings.ReplaceAll(t.Name(), "/", "-"))}
		sleeper, below := testbed.NewSleeper(), testbed.NewSleeper()
		call := launch(id, "echo hello; exec "+sleeper.Command())
		call.LaunchContainer.Resources = []*mesos.Resource{
			{Name: new("cpus"), Type: mesos.Value_SCALAR.Enum(), Scalar: &mesos.Value_Scalar{Value: new(0.1)}},
			{Name: new("mem"), Type: mesos.Value_SCALAR.Enum(), Scalar: &mesos.Value_Scalar{Value: new(64.0)}},
		}
		c.want(http.StatusOK, call)
		c.want(http.StatusAccepted, call)
		child := nested(id, "child")
		c.want(http.StatusOK, launch(child, below.Command()))
		pid := below.PID(t)
		if listed := c.containers(false, false); len(listed) != 0 {
			t.Errorf("containers %v", listed)
		}
		if listed := c.containers(false, true); len(listed) != 1 || listed[name(id)].GetResourceStatistics() == nil {
			t.Errorf("standalone containers %v", listed)
		}
		if listed := c.containers(true, true); len(listed) != 2 {
			t.Errorf("all containers %v", listed)
		}

		// They outlive their agent.
		c.agent.Kill()
		c.agent.Start()
		testbed.Eventually(t, "the agent has recovered", func() error {
			if status, text, _ := c.call(kill(child, new(int32(0)))); status != http.StatusOK {
				return errorf("%d %s", status, text)
			}
			return nil
		})
		if got := below.PID(t); got != pid {
			t.Errorf("process %d has become %d", pid, got)
		}
		if out := c.agent.ReadFile(filepath.Join(c.agent.WorkDir, "containers", id.GetValue(), "stdout")); out != "hello\n" {
			t.Errorf("stdout %q", out)
		}
		c.want(http.StatusOK, kill(id, nil))
		if waited := c.want(http.StatusOK, await(id)).GetWaitContainer(); waited.GetExitStatus() != int32(syscall.SIGKILL) {
			t.Errorf("it ended with %v", waited)
		}
		below.AwaitEnd(t)
		c.want(http.StatusOK, remove(id))
		c.want(http.StatusNotFound, await(id))
	})
}
