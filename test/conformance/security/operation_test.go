package security

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// operation is one of an ACCEPT, whose ID is its type and what makes it another one.
func operation(kind, more string, body testbed.Object) testbed.Object {
	return testbed.Object{"type": kind, "id": testbed.Object{"value": kind + more}, strings.ToLower(kind): body}
}

// TestOffersUnderACLs: what a framework does with an offer goes by its principal. All that
// one may not do is refused, an operation at a time, and what it may is done in the same
// ACCEPT; another does it all.
func TestOffersUnderACLs(t *testing.T) {
	m := secured(t, "--acls={"+strings.Join([]string{
		only("reserve_resources", "roles"), only("unreserve_resources", "reserver_principals"), only("create_volumes", "roles"),
		only("destroy_volumes", "creator_principals"), only("resize_volumes", "roles"),
		`"run_tasks":[{"principals":{"values":["ops"]},"users":{"type":"ANY"}},{"principals":{"type":"ANY"},"users":{"values":["root"]}},
			{"principals":{"type":"ANY"},"users":{"type":"NONE"}}]`,
	}, ",")+"}")
	testbed.StartAgent(t, m.Address, testbed.Posix)
	awaitAgents(t, m, 1)
	agent := m.Get("/slaves").At("slaves", 0, "id").Text()
	prepare(t, m, agent, "RESERVE_RESOURCES", "resources", reserved("disk", 96, "web", "ops"))
	prepare(t, m, agent, "CREATE_VOLUMES", "volumes", volume("v", 32, "web", "ops", "ops"))
	prepare(t, m, agent, "RESERVE_RESOURCES", "resources", reserved("disk", 8, "web", "ops"))
	prepare(t, m, agent, "CREATE_VOLUMES", "volumes", volume("y", 8, "web", "ops", "ops"))
	for _, encoding := range []testbed.Encoding{testbed.JSON, testbed.Protobuf} {
		t.Run(string(encoding), func(t *testing.T) {
			m.Username = "marathon"
			f := testbed.Subscribe(t, m, testbed.FrameworkOptions{Encoding: encoding, Info: webOf("marathon")})
			offer := f.Offer()
			task := func(id, user string) testbed.Object {
				info := testbed.Task(offer, id, "true")
				info["command"].(testbed.Object)["user"] = user
				return info
			}
			refused := operationsOf("marathon", volume("v", 32, "web", "ops", "ops"), volume("v", 32, "web", "ops", "ops"))
			f.Accept(offer, append(refused,
				testbed.Launch(task("theirs", "nobody"), task("own", "root")),
				groupOf(f.ID, task("grouped", "root"), task("not grouped", "nobody")))...)
			want := map[string]string{}
			for _, o := range refused {
				want[o.(testbed.Object)["id"].(testbed.Object)["value"].(string)] = "OPERATION_ERROR, not authorized"
			}
			if diff := cmp.Diff(want, operationStates(f, len(want))); diff != "" {
				t.Errorf("operations of who may not (-want +got):\n%s", diff)
			}
			for id, reason := range map[string]string{"theirs": "REASON_TASK_UNAUTHORIZED",
				"grouped": "REASON_TASK_GROUP_UNAUTHORIZED", "not grouped": "REASON_TASK_GROUP_UNAUTHORIZED"} {
				status, _ := f.AwaitUpdate(id, "TASK_ERROR")
				if got := status.At("reason").Text(); got != reason || status.At("source").Text() != "SOURCE_MASTER" || status.At("uuid").Exists() {
					t.Errorf("task %s: %v, want %s", id, status, reason)
				}
			}
			f.Follow("own", "TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED")
			f.Call("TEARDOWN", nil)
		})
	}
	m.Username = "ops"
	f := testbed.Subscribe(t, m, testbed.FrameworkOptions{Info: webOf("ops")})
	allowed := operationsOf("ops", volume("x", 8, "web", "ops", "ops"), volume("y", 8, "web", "ops", "ops"))
	f.Accept(f.Offer(), allowed...)
	for id, state := range operationStates(f, len(allowed)) {
		if state != "OPERATION_FINISHED" {
			t.Errorf("%s of who may is %s", id, state)
		}
	}
	f.Call("TEARDOWN", nil)
}

func webOf(principal string) testbed.Object {
	return testbed.Object{"principal": principal, "roles": testbed.List{"web"}, "capabilities": testbed.List{
		testbed.Object{"type": "MULTI_ROLE"}, testbed.Object{"type": "PARTITION_AWARE"}, testbed.Object{"type": "RESERVATION_REFINEMENT"}}}
}

// prepare makes a call about resources of an agent as ops.
func prepare(t *testing.T, m *testbed.Master, agent, kind, field string, r testbed.Object) {
	t.Helper()
	text, err := json.Marshal(testbed.Object{"type": kind, strings.ToLower(kind): testbed.Object{
		"agent_id": testbed.Object{"value": agent}, field: testbed.List{r}}})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, kind, as(t, m.Process, "ops", http.MethodPost, "/api/v1", string(text)), http.StatusAccepted)
}

// operationsOf are one of each kind on a volume "v" of 32, of which the last two change
// what "resized" and "destroyed" name, and on 64 of disk that ops reserved.
func operationsOf(principal string, resized, destroyed testbed.Object) []any {
	list := func(rs ...testbed.Object) testbed.Object { return testbed.Object{"resources": rs} }
	volumes := func(rs ...testbed.Object) testbed.Object { return testbed.Object{"volumes": rs} }
	return []any{
		operation("RESERVE", "", list(reserved("cpus", 0.5, "web", principal))),
		operation("UNRESERVE", "", list(reserved("disk", 16, "web", "ops"))),
		operation("CREATE", "", volumes(volume("w", 16, "web", "ops", principal))),
		operation("CREATE", " another", volumes(volume("x", 8, "web", "ops", principal))),
		operation("GROW_VOLUME", "", testbed.Object{
			"volume": volume("v", 32, "web", "ops", "ops"), "addition": reserved("disk", 8, "web", "ops")}),
		operation("SHRINK_VOLUME", "", testbed.Object{"volume": resized, "subtract": testbed.Object{"value": 4.0}}),
		operation("DESTROY", "", volumes(destroyed)),
	}
}

// groupOf launches tasks as a group below a default executor.
func groupOf(framework string, tasks ...testbed.Object) testbed.Object {
	return testbed.Object{"type": "LAUNCH_GROUP", "launch_group": testbed.Object{
		"executor": testbed.Object{"type": "DEFAULT", "executor_id": testbed.Object{"value": "group"},
			"framework_id": testbed.Object{"value": framework},
			"resources":    testbed.List{testbed.Scalar("cpus", 0.1), testbed.Scalar("mem", 32), testbed.Scalar("disk", 32)}},
		"task_group": testbed.Object{"tasks": tasks},
	}}
}

// operationStates waits for the outcome of n operations.
func operationStates(f *testbed.Framework, n int) map[string]string {
	states := map[string]string{}
	for range n {
		s := f.Await(fmt.Sprintf("the outcome of an operation, after %v", states), testbed.Type("UPDATE_OPERATION_STATUS")).
			At("update_operation_status", "status")
		state := s.At("state").Text()
		if strings.Contains(s.At("message").Text(), "not authorized") {
			state += ", not authorized"
		}
		states[s.At("operation_id", "value").Text()] = state
	}
	return states
}
