package agent

import (
	"fmt"
	"net/http"
	"os"
	"testing"

	"google.golang.org/protobuf/proto"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/agent"
	"github.com/mesos-operator/mesos-operator/internal/codec"
	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// client makes calls of the agent API in one encoding.
type client struct {
	t        testing.TB
	agent    *testbed.Agent
	encoding string
}

var encodings = []string{codec.JSON, codec.Protobuf}

// call makes a call and returns the answer's status, text, and message if it is 200
// and has one.
func (c *client) call(call *agent.Call) (int, string, *agent.Response) {
	c.t.Helper()
	body, err := codec.Marshal(c.encoding, call)
	if err != nil {
		c.t.Fatal(err)
	}
	answer := testbed.Do(c.t, http.MethodPost, c.agent.URL("/api/v1"),
		http.Header{"Content-Type": {c.encoding}, "Accept": {c.encoding}}, body)
	if answer.Status != http.StatusOK || len(answer.Body) == 0 {
		return answer.Status, answer.Text(), nil
	}
	out := &agent.Response{}
	if err := codec.Unmarshal(c.encoding, answer.Body, out); err != nil {
		c.t.Fatal(err)
	}
	return answer.Status, "", out
}

// want makes a call whose answer must have that status.
func (c *client) want(status int, call *agent.Call) *agent.Response {
	c.t.Helper()
	got, text, out := c.call(call)
	if got != status {
		c.t.Fatalf("%s: %d %s, want %d", call.GetType(), got, text, status)
	}
	return out
}

func nested(parent *mesos.ContainerID, name string) *mesos.ContainerID {
	return &mesos.ContainerID{Value: &name, Parent: parent}
}

func command(script string) *mesos.CommandInfo {
	return &mesos.CommandInfo{Shell: new(true), Value: &script}
}

func launch(id *mesos.ContainerID, script string) *agent.Call {
	return &agent.Call{Type: agent.Call_LAUNCH_CONTAINER.Enum(), LaunchContainer: &agent.Call_LaunchContainer{
		ContainerId: id, Command: command(script),
	}}
}

func launchNested(id *mesos.ContainerID, script string) *agent.Call {
	return &agent.Call{Type: agent.Call_LAUNCH_NESTED_CONTAINER.Enum(), LaunchNestedContainer: &agent.Call_LaunchNestedContainer{
		ContainerId: id, Command: command(script),
	}}
}

func await(id *mesos.ContainerID) *agent.Call {
	return &agent.Call{Type: agent.Call_WAIT_CONTAINER.Enum(), WaitContainer: &agent.Call_WaitContainer{ContainerId: id}}
}

func awaitNested(id *mesos.ContainerID) *agent.Call {
	return &agent.Call{Type: agent.Call_WAIT_NESTED_CONTAINER.Enum(), WaitNestedContainer: &agent.Call_WaitNestedContainer{ContainerId: id}}
}

func kill(id *mesos.ContainerID, signal *int32) *agent.Call {
	return &agent.Call{Type: agent.Call_KILL_CONTAINER.Enum(), KillContainer: &agent.Call_KillContainer{ContainerId: id, Signal: signal}}
}

func killNested(id *mesos.ContainerID, signal *int32) *agent.Call {
	return &agent.Call{Type: agent.Call_KILL_NESTED_CONTAINER.Enum(), KillNestedContainer: &agent.Call_KillNestedContainer{ContainerId: id, Signal: signal}}
}

func remove(id *mesos.ContainerID) *agent.Call {
	return &agent.Call{Type: agent.Call_REMOVE_CONTAINER.Enum(), RemoveContainer: &agent.Call_RemoveContainer{ContainerId: id}}
}

func removeNested(id *mesos.ContainerID) *agent.Call {
	return &agent.Call{Type: agent.Call_REMOVE_NESTED_CONTAINER.Enum(), RemoveNestedContainer: &agent.Call_RemoveNestedContainer{ContainerId: id}}
}

// containers lists containers by their whole IDs.
func (c *client) containers(nested, standalone bool) map[string]*agent.Response_GetContainers_Container {
	c.t.Helper()
	answer := c.want(http.StatusOK, &agent.Call{Type: agent.Call_GET_CONTAINERS.Enum(), GetContainers: &agent.Call_GetContainers{
		ShowNested: &nested, ShowStandalone: &standalone,
	}})
	out := map[string]*agent.Response_GetContainers_Container{}
	for _, container := range answer.GetGetContainers().GetContainers() {
		if status := container.GetContainerStatus().GetContainerId(); status.GetValue() != container.GetContainerId().GetValue() {
			c.t.Errorf("container %v has the status of %v", container.GetContainerId(), status)
		}
		if container.GetContainerId().GetParent() != nil {
			c.t.Errorf("container_id %v has a parent", container.GetContainerId())
		}
		out[name(container.GetContainerStatus().GetContainerId())] = container
	}
	return out
}

// name is a container ID in the form that messages of errors have.
func name(id *mesos.ContainerID) string {
	if id.GetParent() == nil {
		return id.GetValue()
	}
	return name(id.GetParent()) + "." + id.GetValue()
}

// same fails unless two messages are equal.
func same(t testing.TB, got, want proto.Message) {
	t.Helper()
	if !proto.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func errorf(format string, args ...any) error { return fmt.Errorf(format, args...) }

func touch(t testing.TB, file string) {
	t.Helper()
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
}

func unlink(t testing.TB, file string) {
	t.Helper()
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
}
