package compatibility

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/reflect/protoreflect"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/agent"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/executor"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/master"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/resourceprovider"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
	"github.com/mesos-operator/mesos-operator/masterd/state"
	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

const (
	root = "../../.."
	page = root + "/docs/compatibility.md"
)

var rewrite = flag.Bool("rewrite", false, "write docs/compatibility.md anew")

func TestMain(m *testing.M) { testbed.Main(m) }

func encode(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// The page says what the binaries do.
func TestPage(t *testing.T) {
	before, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	after := string(before)
	for name, text := range sections(t) {
		pattern := regexp.MustCompile(`(?s)(<!-- begin ` + name + ` -->\n).*?(<!-- end -->)`)
		if !pattern.MatchString(after) {
			t.Errorf("%s has no section %q", page, name)
		}
		after = pattern.ReplaceAllStringFunc(after, func(section string) string {
			parts := pattern.FindStringSubmatch(section)
			return parts[1] + text + parts[2]
		})
	}
	if *rewrite {
		if err := os.WriteFile(page, []byte(after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(before), after); diff != "" {
		t.Errorf("the page isn't what the binaries do; look at the difference, then run with -rewrite (-page +binaries):\n%s", diff)
	}
}

// sections makes the generated parts of the page.
func sections(t *testing.T) map[string]string {
	m := testbed.StartMaster(t, "--memory_profiling")
	a := testbed.StartAgent(t, m.Address, testbed.Posix, "--memory_profiling")
	framework := testbed.Subscribe(t, m, testbed.FrameworkOptions{})
	framework.Run("task", "true")
	framework.Follow("task", "TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED")
	happen(t, m)

	masterFlags, masterOwn := flagRows(t, "masterd", "master", "--registry=in_memory")
	agentFlags, agentOwn := flagRows(t, "agentd", "agent", "--master=192.0.2.1", "--work_dir=/nonexistent")
	metrics := metricRows(t, m.Get("/metrics/snapshot"), a.Get("/metrics/snapshot"))
	proofs := map[string]string{
		"": oper + "TestReadCalls", "TEARDOWN": mapi + "TestOperatorStatuses", "MARK_AGENT_GONE": fl + "TestBadCalls",
		"SUBSCRIBE": oper + "TestEventStream", "SET_LOGGING_LEVEL": mapi + "TestOperatorStatuses",
	}
	maps.Copy(proofs, policyProofs)
	maps.Copy(proofs, operationProofs)
	masterCalls := operatorCalls(t, m.Process, master.Call_UNKNOWN.Descriptor(), proofs)
	agentCalls := operatorCalls(t, a.Process, agent.Call_UNKNOWN.Descriptor(), agentProofs)
	return map[string]string{
		"scheduler calls":        table(t, complete(t, schedulerCalls, scheduler.Call_UNKNOWN.Descriptor())),
		"operations":             table(t, operations),
		"scheduler events":       table(t, complete(t, schedulerEvents, scheduler.Event_UNKNOWN.Descriptor())),
		"framework capabilities": table(t, complete(t, frameworkCapabilities, mesos.FrameworkInfo_Capability_UNKNOWN.Descriptor())),
		"validation rules":       table(t, validationRules),
		"executor calls":         table(t, complete(t, executorCalls, executor.Call_UNKNOWN.Descriptor())),
		"executor events":        table(t, complete(t, executorEvents, executor.Event_UNKNOWN.Descriptor())),
		"provider calls":         table(t, complete(t, providerCalls, resourceprovider.Call_UNKNOWN.Descriptor())),
		"provider events":        table(t, complete(t, providerEvents, resourceprovider.Event_UNKNOWN.Descriptor())),
		"master calls":           table(t, masterCalls),
		"agent calls":            table(t, agentCalls),
		"master endpoints":       table(t, endpoints(t, m.Process, fl+"TestMasterShapes", masterPaths...)),
		"agent endpoints":        table(t, endpoints(t, a.Process, fl+"TestAgentShapes", agentPaths...)),
		"messages to masters":    table(t, messageRows()),
		"messages to agents":     table(t, agentMessages),
		"master flags":           lists(masterFlags) + ownFlags(masterOwn),
		"agent flags":            lists(agentFlags) + ownFlags(agentOwn),
		"metrics":                lists(metrics),
		"isolators":              lists(isolatorRows(t)),
		"high availability":      table(t, highAvailability),
		"access":                 table(t, accessRows),
		"acls":                   table(t, aclRows(t)),
	}
}

// happen makes what metrics are about that appear with their first value.
func happen(t *testing.T, m *testbed.Master) {
	quota := testbed.Object{"role": "quota", "guarantees": testbed.Object{"cpus": testbed.Object{"value": 1.0}}}
	answer := m.Operator(testbed.Object{"type": "UPDATE_QUOTA",
		"update_quota": testbed.Object{"force": true, "quota_configs": testbed.List{quota}}})
	if answer.Status != http.StatusOK {
		t.Fatalf("UPDATE_QUOTA: %d %s", answer.Status, answer.Text())
	}
	old := testbed.Subscribe(t, m, testbed.FrameworkOptions{Info: testbed.Object{"capabilities": nil, "roles": nil, "role": "*"}})
	task := testbed.Object{"name": "lost", "task_id": id("lost"), "agent_id": id("nobody"),
		"command": testbed.Object{"value": "true"}, "resources": testbed.List{testbed.Scalar("cpus", 1)}}
	old.Call("ACCEPT", testbed.Object{"offer_ids": testbed.List{id("nobody")}, "operations": testbed.List{testbed.Launch(task)}})
	old.Update("lost", "TASK_LOST")
	testbed.Eventually(t, "the allocator knows of the quota", func() error {
		if !m.Get("/metrics/snapshot").At("allocator/mesos/quota/roles/quota/resources/cpus/guarantee").Exists() {
			return errors.New("there is no metric of it")
		}
		return nil
	})
}

var (
	common = []string{"/files/browse", "/files/read", "/files/download", "/files/debug", "/logging/toggle", "/metrics/snapshot",
		"/system/stats.json", "/version", "/health", "/flags", "/state", "/help", "/profiler/start", "/profiler/stop", "/memory-profiler/start", "/memory-profiler/stop", "/memory-profiler/download/raw", "/memory-profiler/download/text",
		"/memory-profiler/download/graph", "/memory-profiler/statistics", "/memory-profiler/state"}
	masterPaths = append([]string{"/api/v1", "/api/v1/scheduler", "/frameworks", "/slaves", "/tasks", "/roles", "/state-summary", "/redirect",
		"/teardown", "/quota", "/weights", "/maintenance/schedule", "/maintenance/status", "/machine/down", "/machine/up", "/reserve",
		"/unreserve", "/create-volumes", "/destroy-volumes", "/registrar(1)/registry"}, common...)
	agentPaths = append([]string{"/api/v1", "/api/v1/executor", "/api/v1/resource_provider", "/containers", "/containerizer/debug",
		"/monitor/statistics"}, common...)
)

// complete checks that every value of the enum has its row.
func complete(t *testing.T, rows []row, enum protoreflect.EnumDescriptor) []row {
	t.Helper()
	for i := range enum.Values().Len() {
		name := string(enum.Values().Get(i).Name())
		if name != "UNKNOWN" && !slices.ContainsFunc(rows, func(r row) bool { return r.name == name }) {
			t.Errorf("%s has no row", enum.Values().Get(i).FullName())
		}
	}
	return rows
}

// messageRows puts together what the master's machine accepts and what is known
// of it.
func messageRows() []row {
	var out []row
	accepted := map[string]bool{}
	for _, m := range state.Accepts() {
		name := string(m.ProtoReflect().Descriptor().FullName())
		accepted[name] = true
		r := masterMessages[name]
		r.name, r.status = name, works
		out = append(out, r)
	}
	for name, r := range masterMessages {
		if !accepted[name] {
			r.name = name
			if r.status == "" {
				r.status = notYet
			}
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b row) int { return strings.Compare(a.name, b.name) })
	return out
}

// table writes rows, and checks that their proofs exist.
func table(t *testing.T, rows []row) string {
	t.Helper()
	var out strings.Builder
	out.WriteString("\n| | status | proof | |\n|---|---|---|---|\n")
	for _, r := range rows {
		var proofs []string
		for proof := range strings.FieldsSeq(r.proof) {
			proofs = append(proofs, link(t, proof))
		}
		fmt.Fprintf(&out, "| `%s` | %s | %s | %s |\n", r.name, r.status, strings.Join(proofs, ", "), r.note)
	}
	out.WriteString("\n")
	return out.String()
}

// link finds the file of a test.
func link(t *testing.T, proof string) string {
	t.Helper()
	dir, test, _ := strings.Cut(proof, ".")
	files, err := filepath.Glob(filepath.Join(root, dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "\nfunc "+test+"(t *testing.T)") {
			return fmt.Sprintf("[%s](../%s/%s)", test, dir, filepath.Base(file))
		}
	}
	t.Errorf("there is no test %s", proof)
	return test
}

// lists writes names by status.
func lists(rows []row) string {
	var out strings.Builder
	for _, status := range []string{works, refused, ignored, notYet} {
		var names []string
		for _, r := range rows {
			if r.status == status {
				names = append(names, "`"+r.name+"`")
			}
		}
		if len(names) > 0 {
			fmt.Fprintf(&out, "\n**%s** (%d): %s\n", status, len(names), strings.Join(names, ", "))
		}
	}
	return out.String() + "\n"
}

func ownFlags(names []string) string {
	return "**our own**: `" + strings.Join(names, "`, `") + "`\n\n"
}
