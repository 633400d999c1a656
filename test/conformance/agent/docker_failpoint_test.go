package agent

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/nftables"
	"github.com/vishvananda/netlink"

	"github.com/mesos-operator/mesos-operator/internal/failpoint"
	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// TestDockerBridgeFailpoints kills the agent at every point of the life of a container on the bridge.
// Whatever its next life makes of the task, its port is free for the next one afterwards, and of its
// network nothing is left.
func TestDockerBridgeFailpoints(t *testing.T) {
	if !ownNetwork(t) {
		return
	}
	master, a, registry := dockerAgent(t, "--executor_reregistration_timeout=5secs")
	ref := tool(t, registry, "tool", v1.Config{})
	f := testbed.Subscribe(t, master, testbed.FrameworkOptions{Info: testbed.Object{"checkpoint": true}})
	defer f.Call("TEARDOWN", nil)
	a.Kill()
	a.Use("agentd-failpoint")
	for _, point := range slices.Concat(failpoint.Container, failpoint.Bridge) {
		a.Env = []string{failpoint.Variable + "=" + string(point) + "@0"}
		a.Start()
		id := filepath.Base(string(point)) + "-task"
		offer := f.Offer()
		f.Accept(offer, testbed.Launch(onBridge(offer, id, ref, 31000, "sleep 1000")))
		kill := func() { f.Call("KILL", testbed.Object{"task_id": testbed.Object{"value": id}}) }
		states := []string{}
		hear := func(until func(state string) bool) {
			t.Helper()
			next(f, id, func(u testbed.Value) bool {
				states = append(states, u.At("state").Text())
				return until(u.At("state").Text())
			})
		}
		if slices.Contains([]failpoint.Point{failpoint.ContainerEnded, failpoint.ContainerCleaned, failpoint.BridgeUnplugged}, point) {
			hear(func(state string) bool { return state == "TASK_RUNNING" })
			kill()
		}
		if state := a.AwaitEnd(); state.ExitCode() >= 0 {
			t.Fatalf("%s: the agent ended by itself: %v\n%s", point, state, a.Log())
		}
		a.Env = nil
		a.Start()
		wantMetrics(t, a.Process, map[string]float64{"slave/registered": 1}) // else it isn't acknowledged to
		hear(func(state string) bool {
			switch state {
			case "TASK_STARTING", "TASK_KILLING":
				return false
			case "TASK_RUNNING":
				kill()
				return false
			}
			return true
		})
		t.Logf("%s: %v", point, states)
		testbed.Eventually(t, "the network of "+id+" to go", func() error { return networkLeft(a) })
		// What hasn't settled would pass points in the next life.
		testbed.Eventually(t, "the agent to be done with "+id, func() error {
			answer := testbed.Do(t, http.MethodGet, a.URL("/state"), nil, nil)
			if answer.Status != http.StatusOK || len(testbed.MustParse(t, answer.Body).At("frameworks").List()) > 0 {
				return fmt.Errorf("%d %s", answer.Status, answer.Text())
			}
			return nil
		})
		a.Kill()
	}
	a.Start()
	offer := f.Offer()
	f.Accept(offer, testbed.Launch(onBridge(offer, "last", ref, 31000, "true")))
	f.Follow("last", "TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED")
}

// onBridge is a task on the bridge with a port of the node.
func onBridge(offer testbed.Value, id, ref string, port int, command string) testbed.Object {
	task := testbed.Task(offer, id, command)
	task["container"] = inDocker(ref, "BRIDGE", testbed.Object{"port_mappings": testbed.List{
		testbed.Object{"host_port": port, "container_port": 8080, "protocol": "tcp"}}})
	task["resources"] = append(task["resources"].(testbed.List), testbed.Object{"name": "ports", "type": "RANGES", "role": "*",
		"ranges": testbed.Object{"range": testbed.List{testbed.Object{"begin": port, "end": port}}}})
	return task
}

// networkLeft tells what containers on the bridge have left on the node.
func networkLeft(a *testbed.Agent) error {
	links, err := netlink.LinkList()
	if err != nil || len(links) > 1 {
		return fmt.Errorf("there are the interfaces %v, error %w", links, err)
	}
	c, err := nftables.New()
	if err != nil {
		return err
	}
	if tables, err := c.ListTables(); err != nil || len(tables) > 0 {
		return fmt.Errorf("there are %d tables, error %w", len(tables), err)
	}
	if files, err := os.ReadDir(filepath.Join(a.Dir, "run/bridge")); err != nil || len(files) > 0 {
		return fmt.Errorf("there are the addresses %v, error %w", files, err)
	}
	return nil
}
