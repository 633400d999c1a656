package httpapi_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
	"github.com/mesos-operator/mesos-operator/internal/codec"
	"github.com/mesos-operator/mesos-operator/internal/resources"
	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// golden is a recorded answer of a real Mesos.
type golden struct {
	Status  int
	Headers map[string]string
	Body    json.RawMessage
}

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "golden", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func readGolden(t *testing.T, name string) golden {
	t.Helper()
	var g golden
	if err := json.Unmarshal(readFile(t, name), &g); err != nil {
		t.Fatal(err)
	}
	return g
}

// Build facts that Mesos tells if it knows them, what depends on the kind of
// volume or reservation that a cluster happens to have, and flags, which have a
// test of their own.
var optional = []string{"git_sha", "git_branch", "flags", "mesos_operator_version"}

// objects whose members are data.
var objects = []string{
	"slaves[].attributes", "slaves[].reserved_resources", "slaves[].reserved_resources_full", "flags",
}

// compare holds an answer against the keys and types of a recorded one.
func compare(t *testing.T, name, got string, more ...string) {
	t.Helper()
	want := readGolden(t, name)
	diff := testbed.ShapeOf(testbed.MustParse(t, []byte(got)), objects...).Differences(
		testbed.ShapeOf(testbed.MustParse(t, want.Body), objects...), append(more, optional...)...)
	for _, d := range diff {
		t.Errorf("%s: %s", name, d)
	}
}

func TestFreshMasterLooksLikeMesos(t *testing.T) {
	m := start(t, options{})
	m.agent()
	for path, file := range map[string]string{
		"/state": "fresh_state.json", "/master/state.json": "fresh_state.json",
		"/state-summary": "fresh_state-summary.json",
		"/slaves/":       "fresh_slaves.json",
		"/frameworks":    "fresh_frameworks.json",
		"/tasks":         "fresh_tasks.json", "/roles": "fresh_roles.json",
		"/version": "fresh_version.json", "/weights": "fresh_weights.json", "/quota": "fresh_quota.json",
		"/maintenance/schedule": "fresh_maintenance_schedule.json",
		"/maintenance/status":   "fresh_maintenance_status.json",
	} {
		t.Run(path, func(t *testing.T) { compare(t, file, m.get(path)) })
	}
}

// metricsNotYet begin the names of metrics of what this master doesn't do yet,
// and of timers, which have values only once something was timed.
var metricsNotYet = []string{
	"allocator/mesos/allocation_run_", "registrar/state_fetch_ms", "registrar/state_store_ms",
	"allocator/mesos/quota/",
}

func TestMetricsHaveTheirNames(t *testing.T) {
	m := start(t, options{})
	m.agent()
	got := testbed.MustParse(t, []byte(m.get("/metrics/snapshot?timeout=10secs"))).Members()
	for name := range testbed.MustParse(t, readGolden(t, "fresh_metrics_snapshot.json").Body).Members() {
		yet := !slices.ContainsFunc(metricsNotYet, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
		if _, ok := got[name]; !ok && yet {
			t.Errorf("no metric %s", name)
		}
	}
	for name, want := range map[string]float64{
		"master/elected": 1, "master/slaves_active": 1, "master/slaves_connected": 1, "master/slave_registrations": 1,
		"master/cpus_total": 4, "master/mem_total": 4096, "master/cpus_used": 0, "allocator/mesos/resources/cpus/total": 4,
	} {
		if got[name].Kind() != "double" || got[name].Number() != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
	if text := m.get("/metrics"); !strings.Contains(text, "master_slaves_active 1") {
		t.Errorf("Prometheus's form has no master_slaves_active:\n%.2000s", text)
	}
}

func allocated(text string) []*mesos.Resource {
	rs := resources.MustParse(text).Allocate("prod/web")
	return rs.Proto()
}

func task(id string, offer *mesos.Offer, rs string) *mesos.TaskInfo {
	return &mesos.TaskInfo{
		Name: new(id), TaskId: &mesos.TaskID{Value: new(id)}, AgentId: offer.AgentId,
		Resources: allocated(rs), Command: &mesos.CommandInfo{Value: new("sleep 1000")},
	}
}

// busy makes the cluster of the golden files, but for reservation and volume.
func busy(t *testing.T, m *master) *framework {
	t.Helper()
	plain := m.subscribe(&mesos.FrameworkInfo{User: new("root"), Name: new("plain"), Role: new("*")})
	if a := plain.call(&scheduler.Call{Type: scheduler.Call_SUPPRESS.Enum()}); a.status != 202 {
		t.Fatalf("SUPPRESS: %d %s", a.status, a.body)
	}
	f := m.subscribe(&mesos.FrameworkInfo{
		User: new("root"), Name: new("golden"), Roles: []string{"prod/web", "dev"}, Checkpoint: new(true),
		FailoverTimeout: new(60.0), Hostname: new("fw.example"), WebuiUrl: new("http://fw.example:80"),
		Labels: &mesos.Labels{Labels: []*mesos.Label{{Key: new("team"), Value: new("a")}}},
		Capabilities: []*mesos.FrameworkInfo_Capability{
			{Type: mesos.FrameworkInfo_Capability_MULTI_ROLE.Enum()},
			{Type: mesos.FrameworkInfo_Capability_PARTITION_AWARE.Enum()},
			{Type: mesos.FrameworkInfo_Capability_RESERVATION_REFINEMENT.Enum()},
		},
	})
	if a := f.call(&scheduler.Call{Type: scheduler.Call_SUPPRESS.Enum(),
		Suppress: &scheduler.Call_Suppress{Roles: []string{"dev"}}}); a.status != 202 {
		t.Fatalf("SUPPRESS: %d %s", a.status, a.body)
	}
	agent := m.agent()
	offer := webOffer(f)
	service := task("t-sleep", offer, "cpus:0.1;mem:32;ports:[31005-31006]")
	service.Labels = &mesos.Labels{Labels: []*mesos.Label{{Key: new("app"), Value: new("web")}}}
	service.Discovery = &mesos.DiscoveryInfo{
		Visibility: mesos.DiscoveryInfo_CLUSTER.Enum(), Name: new("web"),
		Ports: &mesos.Ports{Ports: []*mesos.Port{{Number: new(uint32(31005)), Name: new("http"), Protocol: new("tcp")}}},
	}
	service.HealthCheck = &mesos.HealthCheck{
		Type: mesos.HealthCheck_COMMAND.Enum(), DelaySeconds: new(0.0), IntervalSeconds: new(1.0),
		Command: &mesos.CommandInfo{Value: new("true")},
	}
	grouped := task("g1", offer, "cpus:0.1;mem:32")
	f.launch(offer,
		&mesos.Offer_Operation{Type: mesos.Offer_Operation_LAUNCH.Enum(), Launch: &mesos.Offer_Operation_Launch{
			TaskInfos: []*mesos.TaskInfo{service, task("t-done", offer, "cpus:0.1;mem:32")}}},
		&mesos.Offer_Operation{Type: mesos.Offer_Operation_LAUNCH_GROUP.Enum(), LaunchGroup: &mesos.Offer_Operation_LaunchGroup{
			Executor: &mesos.ExecutorInfo{
				Type: mesos.ExecutorInfo_DEFAULT.Enum(), ExecutorId: &mesos.ExecutorID{Value: new("e-group")},
				FrameworkId: f.id, Resources: allocated("cpus:0.1;mem:32;disk:10"),
			},
			TaskGroup: &mesos.TaskGroupInfo{Tasks: []*mesos.TaskInfo{grouped}},
		}})
	f.update("t-sleep", mesos.TaskState_TASK_RUNNING)
	f.update("t-done", mesos.TaskState_TASK_RUNNING)
	if err := agent.Update("t-done", mesos.TaskState_TASK_FINISHED); err != nil {
		t.Fatal(err)
	}
	status := f.update("t-done", mesos.TaskState_TASK_FINISHED)
	a := f.call(&scheduler.Call{Type: scheduler.Call_ACKNOWLEDGE.Enum(), Acknowledge: &scheduler.Call_Acknowledge{
		AgentId: status.AgentId, TaskId: status.TaskId, Uuid: status.Uuid}})
	if a.status != 202 {
		t.Fatalf("ACKNOWLEDGE: %d %s", a.status, a.body)
	}
	webOffer(f) // it is outstanding when others look
	return f
}

// webOffer waits for an offer to the role of the tasks.
func webOffer(f *framework) *mesos.Offer {
	for {
		for _, o := range f.await(scheduler.Event_OFFERS).GetOffers().GetOffers() {
			if o.GetAllocationInfo().GetRole() == "prod/web" {
				return o
			}
		}
	}
}

// What the golden cluster has beyond the one of busy.
var notInBusy = []string{
	"slaves[].reserved_resources", "slaves[].reserved_resources_full",
	"slaves[].offered_resources_full[].reservation", "slaves[].offered_resources_full[].reservations",
	"slaves[].offered_resources_full[].disk",
	"frameworks[].tasks[].statuses[].container_status.container_id.parent",
	"frameworks[].tasks[].statuses[].healthy", "tasks[].statuses[].healthy",
	"tasks[].statuses[].container_status.container_id.parent",
	"frameworks[].reregistered_time", "slaves[].reregistered_time",
	"roles[].weight",
}

func TestBusyMasterLooksLikeMesos(t *testing.T) {
	m := start(t, options{})
	f := busy(t, m)
	for path, file := range map[string]string{
		"/state": "busy_state.json", "/state-summary": "busy_state-summary.json", "/slaves": "busy_slaves.json",
		"/frameworks": "busy_frameworks.json", "/tasks?order=asc&limit=-1": "busy_tasks.json",
		"/frameworks?framework_id=" + f.id.GetValue(): "busy_frameworks.json",
	} {
		t.Run(path, func(t *testing.T) {
			more := notInBusy
			if path != "/frameworks" && file == "busy_frameworks.json" {
				more = append([]string{"frameworks[].role"}, more...)
			}
			compare(t, file, m.get(path), more...)
		})
	}
	t.Run("/roles", func(t *testing.T) {
		compare(t, "busy_roles.json", m.get("/roles"), append([]string{
			"roles[].quota.guarantee", "roles[].quota.limit", "roles[].reserved",
		}, notInBusy...)...)
	})
	t.Run("after teardown", func(t *testing.T) {
		if a := m.do("POST", "/teardown", nil, "frameworkId="+f.id.GetValue()); a.status != 200 {
			t.Fatalf("teardown: %d %s", a.status, a.body)
		}
		compare(t, "after_teardown_frameworks.json", m.get("/master/frameworks"), "frameworks", "completed_frameworks[].role",
			"completed_frameworks[].completed_tasks[].statuses[].container_status.container_id.parent",
			"completed_frameworks[].completed_tasks[].labels", "completed_frameworks[].completed_tasks[].discovery",
			"completed_frameworks[].completed_tasks[].health_check",
			"completed_frameworks[].completed_tasks[].statuses[].healthy")
	})
}

func TestOperatorAnswersLookLikeMesos(t *testing.T) {
	m := start(t, options{})
	busy(t, m)
	for _, name := range []string{
		"GET_HEALTH", "GET_FLAGS", "GET_VERSION", "GET_LOGGING_LEVEL", "GET_MASTER", "GET_STATE", "GET_AGENTS",
		"GET_FRAMEWORKS", "GET_EXECUTORS", "GET_TASKS", "GET_ROLES",
	} {
		t.Run(name, func(t *testing.T) {
			a := m.operator(`{"type":"` + name + `"}`)
			if a.status != 200 || a.header.Get("Content-Type") != codec.JSON {
				t.Fatalf("%d %s %s", a.status, a.header.Get("Content-Type"), a.body)
			}
			compare(t, "v1/"+name+".json", a.body, operatorOptional...)
		})
	}
}

// operatorOptional is what the golden answers have of reservations, volumes,
// executors' PIDs and health, and build facts.
var operatorOptional = func() []string {
	var paths []string
	for _, prefix := range []string{"", "get_state."} {
		for _, list := range []string{"total_resources", "offered_resources", "allocated_resources"} {
			paths = append(paths, prefix+"get_agents.agents[]."+list+"[].reservation", prefix+"get_agents.agents[]."+list+"[].reservations",
				prefix+"get_agents.agents[]."+list+"[].disk", prefix+"get_frameworks.frameworks[]."+list+"[].reservation",
				prefix+"get_frameworks.frameworks[]."+list+"[].reservations", prefix+"get_frameworks.frameworks[]."+list+"[].disk")
		}
		for _, list := range []string{"tasks", "completed_tasks"} {
			status := prefix + "get_tasks." + list + "[].statuses[]."
			paths = append(paths, status+"container_status.executor_pid", status+"container_status.container_id.parent",
				status+"healthy", status+"reason", status+"message", status+"executor_id")
		}
		paths = append(paths, prefix+"get_frameworks.frameworks[].offers[].resources[].reservations",
			prefix+"get_frameworks.frameworks[].offers[].resources[].disk", prefix+"get_frameworks.frameworks[].framework_info.role",
			prefix+"get_agents.agents[].reregistered_time")
	}
	return append(paths, "get_version.version_info.git_sha", "get_version.version_info.git_branch")
}()
