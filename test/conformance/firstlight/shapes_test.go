package firstlight

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// dataMembers are objects whose members are data.
var dataMembers = []string{
	"flags", "attributes", "slaves[].attributes", "slaves[].reserved_resources", "slaves[].reserved_resources_full",
	"slaves[].reserved_resources_allocated", "reserved_resources", "reserved_resources_allocated", "reserved_resources_full",
}

// golden is the recorded answer of a real Mesos.
func golden(t *testing.T, daemon, name string) testbed.Value {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "golden", daemon, name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return testbed.MustParse(t, text)
}

// checkShape compares the answer to GET with the recorded one.
func checkShape(t *testing.T, p *testbed.Process, daemon, name, path string, optional ...string) {
	t.Helper()
	want := golden(t, daemon, name)
	answer := testbed.Do(t, http.MethodGet, p.URL(path), nil, nil)
	if status := int(want.At("status").Number()); answer.Status != status {
		t.Errorf("GET %s: status %d, want %d", path, answer.Status, status)
	}
	for _, header := range []string{"Content-Type", "Location"} {
		got, want := answer.Header.Get(header), want.At("headers", header).Text()
		if (got == "") != (want == "") || (header == "Content-Type" && got != want) {
			t.Errorf("GET %s: %s %q, want %q", path, header, got, want)
		}
	}
	if kind := want.At("body").Kind(); kind != "object" && kind != "array" {
		return
	}
	got := testbed.ShapeOf(testbed.MustParse(t, answer.Body), dataMembers...)
	if differences := got.Differences(testbed.ShapeOf(want.At("body"), dataMembers...), optional...); len(differences) > 0 {
		t.Errorf("GET %s:\n  %s", path, strings.Join(differences, "\n  "))
	}
}

// started are members that a recording has because of how that Mesos was
// started.
var started = []string{
	"build_date", "build_user", "build_time", "build_git_sha", "git_sha", "build_git_branch", "git_branch", "build_git_tag", "git_tag",
	"cluster", "domain", "log_dir", "external_log_file", "slaves[].domain", "leader_info.domain",
	"mesos_operator_version", // stands beside Mesos's
}

// A master shows what a real one shows, with the same names and types.
func TestMasterShapes(t *testing.T) {
	master := testbed.StartMaster(t)
	for name, path := range map[string]string{
		"fresh_state": "/state", "fresh_state-summary": "/state-summary", "fresh_slaves": "/slaves", "fresh_frameworks": "/frameworks",
		"fresh_tasks": "/tasks", "fresh_roles": "/roles", "fresh_weights": "/weights", "fresh_quota": "/quota", "fresh_version": "/version",
		"fresh_health": "/health", "fresh_redirect": "/redirect", "fresh_flags": "/flags",
		"fresh_maintenance_schedule": "/maintenance/schedule", "fresh_maintenance_status": "/maintenance/status",
	} {
		// A recorded agent was there already.
		checkShape(t, master.Process, "master", name, path, append(started, "slaves[]", "recovered_slaves[]")...)
	}

	testbed.StartAgent(t, master.Address, testbed.Posix, "--attributes=rack:r1;zone:a")
	framework := testbed.Subscribe(t, master, testbed.FrameworkOptions{Info: testbed.Object{"checkpoint": true, "principal": "me", "hostname": "here", "webui_url": "http://here/"}})
	framework.Run("finished", "true")
	framework.Follow("finished", "TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED")
	framework.Run("running", testbed.NewSleeper().Command())
	framework.Follow("running", "TASK_STARTING", "TASK_RUNNING")
	for name, path := range map[string]string{
		"busy_state": "/state", "busy_state-summary": "/state-summary", "busy_slaves": "/slaves", "busy_frameworks": "/frameworks",
		"busy_tasks": "/tasks", "busy_roles": "/roles",
	} {
		checkShape(t, master.Process, "master", name, path, append(started, scenario()...)...)
	}
}

// scenario are members that the recording has because of what had happened:
// reservations, volumes, task groups, quota.
func scenario() []string {
	out := []string{"quota", "roles[].quota", "frameworks[].role", "frameworks[].principal"}
	for _, set := range []string{"resources", "allocated", "offered", "reserved"} {
		for _, name := range []string{"cpus", "mem", "disk", "ports"} {
			out = append(out, "roles[]."+set+"."+name)
		}
	}
	for _, set := range []string{"resources", "used_resources", "offered_resources"} {
		out = append(out, "slaves[]."+set+".ports", "frameworks[]."+set+".ports")
	}
	for _, prefix := range []string{"", "frameworks[]."} {
		for _, tasks := range []string{"tasks[]", "completed_tasks[]"} {
			for _, member := range []string{"executor_id", "labels", "discovery", "container", "health_check", "user", "limits", "statuses[]", "resources"} {
				out = append(out, prefix+tasks+"."+member)
			}
		}
		out = append(out, prefix+"executors[]", prefix+"offers[]", prefix+"labels")
	}
	return append(out, "slaves[].used_resources_full[]", "slaves[].offered_resources_full[]", "slaves[].unreserved_resources_full[]",
		"slaves[].drain_info", "completed_frameworks[]")
}

// agentScenario is likewise: labels, ports, health checks and a task group.
var agentScenario = []string{
	"frameworks[].principal", "frameworks[].executors[].labels", "frameworks[].executors[].type", "frameworks[].executors[].resources.ports",
	"frameworks[].executors[].tasks[].discovery", "frameworks[].executors[].tasks[].health_check", "frameworks[].executors[].tasks[].labels",
	"frameworks[].executors[].tasks[].resources.ports", "frameworks[].executors[].tasks[].statuses[].healthy",
	"frameworks[].executors[].tasks[].statuses[].container_status.container_id.parent", "unreserved_resources_allocated.ports",
}

// So does an agent.
func TestAgentShapes(t *testing.T) {
	master := testbed.StartMaster(t)
	agent := testbed.StartAgent(t, master.Address, testbed.Posix, "--attributes=rack:r1;zone:a")
	testbed.Eventually(t, "the agent is registered", func() error {
		if state := agent.TryGet("/state"); state.At("id").Text() == "" {
			return errorOf(state)
		}
		return nil
	})
	for name, path := range map[string]string{
		"fresh_state": "/state", "fresh_containers": "/containers", "fresh_monitor_statistics": "/monitor/statistics",
		"fresh_version": "/version", "fresh_health": "/health", "fresh_flags": "/flags",
	} {
		checkShape(t, agent.Process, "agent", name, path, started...)
	}
	framework := testbed.Subscribe(t, master, testbed.FrameworkOptions{Info: testbed.Object{"checkpoint": true, "principal": "me"}})
	framework.Run("finished", "true")
	framework.Follow("finished", "TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED")
	framework.Run("running", testbed.NewSleeper().Command())
	framework.Follow("running", "TASK_STARTING", "TASK_RUNNING")
	for name, path := range map[string]string{
		"busy_state": "/state", "busy_containers": "/containers", "busy_monitor_statistics": "/monitor/statistics",
	} {
		checkShape(t, agent.Process, "agent", name, path, append(started, agentScenario...)...)
	}
}
