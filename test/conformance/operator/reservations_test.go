package operator

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

type resource = testbed.Object

// reservedFor is a resource that operators reserve for a role.
func reservedFor(role string, r resource) resource {
	r["reservations"] = testbed.List{testbed.Object{"type": "DYNAMIC", "role": role}}
	return r
}

func volumeOf(r resource, id string) resource {
	r["disk"] = testbed.Object{
		"persistence": testbed.Object{"id": id}, "volume": testbed.Object{"container_path": "data", "mode": "RW"},
	}
	return r
}

// oldForm is the reservation as clients of before Mesos 1.4 write it.
func oldForm(role string, r resource) resource {
	r["role"], r["reservation"] = role, testbed.Object{}
	return r
}

// total is what the agent has of a resource for a role, "" for nobody.
func total(master *testbed.Master, role, name string) float64 {
	slave := master.Get("/slaves").At("slaves", 0)
	if role == "" {
		return slave.At("unreserved_resources", name).Number()
	}
	return slave.At("reserved_resources", role, name).Number()
}

func TestReservationCalls(t *testing.T) {
	master := testbed.StartMaster(t, "--registry=in_memory")
	agent := testbed.StartAgent(t, master.Address, testbed.Posix)
	f := testbed.Subscribe(t, master, testbed.FrameworkOptions{Info: testbed.Object{"roles": testbed.List{"web"}}})
	defer f.Call("TEARDOWN", nil)
	offer := f.Offer()
	f.Accept(offer, testbed.Launch(testbed.Task(offer, "sleeper", testbed.NewSleeper().Command())))
	f.Follow("sleeper", "TASK_STARTING", "TASK_RUNNING")
	f.Offer() // the rest is offered: what operators want is taken back

	id := testbed.Object{"value": agent.Get("/state").At("id").Text()}
	call := func(kind string, body testbed.Object) testbed.Object {
		body["agent_id"] = id
		return testbed.Object{"type": kind, lower(kind): body}
	}
	list := func(rs ...any) testbed.List { return rs }
	for _, step := range []struct {
		name   string
		call   testbed.Object
		status int
		web    float64 // cpus reserved for web afterwards
	}{
		{"an unknown agent", testbed.Object{"type": "RESERVE_RESOURCES", "reserve_resources": testbed.Object{
			"agent_id": testbed.Object{"value": "nobody"}, "resources": list(reservedFor("web", testbed.Scalar("cpus", 1)))}}, 400, 0},
		{"nothing", call("RESERVE_RESOURCES", testbed.Object{}), 400, 0},
		{"for nobody", call("RESERVE_RESOURCES", testbed.Object{"resources": list(testbed.Scalar("cpus", 1))}), 400, 0},
		{"allocated", call("RESERVE_RESOURCES", testbed.Object{"resources": list(func() resource {
			r := reservedFor("web", testbed.Scalar("cpus", 1))
			r["allocation_info"] = testbed.Object{"role": "web"}
			return r
		}())}), 400, 0},
		{"what a task uses", call("RESERVE_RESOURCES", testbed.Object{"resources": list(reservedFor("web", testbed.Scalar("cpus", 4)))}), 409, 0},
		{"what is offered", call("RESERVE_RESOURCES", testbed.Object{"resources": list(reservedFor("web", testbed.Scalar("cpus", 2)))}), 202, 2},
		{"again", call("RESERVE_RESOURCES", testbed.Object{"resources": list(reservedFor("web", testbed.Scalar("cpus", 2)))}), 409, 2},
		{"in the old form", call("RESERVE_RESOURCES", testbed.Object{"resources": list(oldForm("web", testbed.Scalar("disk", 64)))}), 202, 2},
		{"another role", call("RESERVE_RESOURCES", testbed.Object{
			"source":    list(reservedFor("web", testbed.Scalar("cpus", 1))),
			"resources": list(reservedFor("db", testbed.Scalar("cpus", 1)))}), 202, 1},
		{"more than the source", call("RESERVE_RESOURCES", testbed.Object{
			"source":    list(reservedFor("web", testbed.Scalar("cpus", 1))),
			"resources": list(reservedFor("db", testbed.Scalar("cpus", 2)))}), 400, 1},
		{"what isn't reserved", call("UNRESERVE_RESOURCES", testbed.Object{"resources": list(reservedFor("web", testbed.Scalar("cpus", 3)))}), 409, 1},
		{"the other's", call("UNRESERVE_RESOURCES", testbed.Object{"resources": list(reservedFor("db", testbed.Scalar("cpus", 1)))}), 202, 1},
		{"a volume of nothing", call("CREATE_VOLUMES", testbed.Object{"volumes": list(volumeOf(testbed.Scalar("disk", 1), "v"))}), 400, 1},
		{"a volume", call("CREATE_VOLUMES", testbed.Object{"volumes": list(volumeOf(reservedFor("web", testbed.Scalar("disk", 32)), "v"))}), 202, 1},
		{"its ID again", call("CREATE_VOLUMES", testbed.Object{"volumes": list(volumeOf(reservedFor("web", testbed.Scalar("disk", 16)), "v"))}), 400, 1},
		{"unreserving it", call("UNRESERVE_RESOURCES", testbed.Object{"resources": list(volumeOf(reservedFor("web", testbed.Scalar("disk", 32)), "v"))}), 400, 1},
		{"growing it", call("GROW_VOLUME", testbed.Object{
			"volume": volumeOf(reservedFor("web", testbed.Scalar("disk", 32)), "v"), "addition": reservedFor("web", testbed.Scalar("disk", 8))}), 202, 1},
		{"growing it by nothing", call("GROW_VOLUME", testbed.Object{
			"volume": volumeOf(reservedFor("web", testbed.Scalar("disk", 40)), "v"), "addition": reservedFor("web", testbed.Scalar("disk", 0))}), 400, 1},
		{"shrinking it", call("SHRINK_VOLUME", testbed.Object{
			"volume": volumeOf(reservedFor("web", testbed.Scalar("disk", 40)), "v"), "subtract": testbed.Object{"value": 10.0}}), 202, 1},
		{"shrinking it away", call("SHRINK_VOLUME", testbed.Object{
			"volume": volumeOf(reservedFor("web", testbed.Scalar("disk", 30)), "v"), "subtract": testbed.Object{"value": 30.0}}), 400, 1},
		{"another volume", call("DESTROY_VOLUMES", testbed.Object{"volumes": list(volumeOf(reservedFor("web", testbed.Scalar("disk", 30)), "w"))}), 400, 1},
		{"destroying it", call("DESTROY_VOLUMES", testbed.Object{"volumes": list(volumeOf(reservedFor("web", testbed.Scalar("disk", 30)), "v"))}), 202, 1},
	} {
		t.Run(step.name, func(t *testing.T) {
			if answer := master.Operator(step.call); answer.Status != step.status || (step.status != 202) != (len(answer.Body) > 0) {
				t.Errorf("%d %s, want %d", answer.Status, answer.Text(), step.status)
			}
			if got := total(master, "web", "cpus"); got != step.web {
				t.Errorf("%v cpus are reserved for web, want %v", got, step.web)
			}
		})
	}
	if got := total(master, "web", "disk"); got != 64 {
		t.Errorf("%v of disk are reserved for web, want 64", got)
	}
	testbed.Eventually(t, "the agent has what the master believes", func() error {
		if got := agent.Get("/state").At("reserved_resources", "web", "cpus").Number(); got != 1 {
			return fmt.Errorf("%v cpus", got)
		}
		return nil
	})
}

// lower is a type of call as the name of its member.
func lower(kind string) string {
	b := []byte(kind)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

func TestReservationEndpoints(t *testing.T) {
	master := testbed.StartMaster(t, "--registry=in_memory")
	agent := testbed.StartAgent(t, master.Address, testbed.Posix)
	id := agent.Get("/state").At("id").Text()
	testbed.Eventually(t, "the agent is registered", func() error {
		if id = agent.Get("/state").At("id").Text(); id == "" {
			return fmt.Errorf("it has no ID")
		}
		return nil
	})
	text := func(rs ...resource) string {
		b, err := json.Marshal(rs)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for _, step := range []struct {
		name, method, path string
		form               url.Values
		status             int
	}{
		{"GET", http.MethodGet, "/reserve", nil, 405},
		{"no agent", http.MethodPost, "/reserve", url.Values{"resources": {"[]"}}, 400},
		{"no agent to unreserve on", http.MethodPost, "/unreserve", url.Values{"resources": {"[]"}}, 400},
		{"no agent to create on", http.MethodPost, "/create-volumes", url.Values{"volumes": {"[]"}}, 400},
		{"no agent to destroy on", http.MethodPost, "/destroy-volumes", url.Values{"volumes": {"[]"}}, 400},
		{"no resources", http.MethodPost, "/reserve", url.Values{"slaveId": {id}}, 400},
		{"no JSON", http.MethodPost, "/reserve", url.Values{"slaveId": {id}, "resources": {"cpus:1"}}, 400},
		{"no list", http.MethodPost, "/reserve", url.Values{"slaveId": {id}, "resources": {"{}"}}, 400},
		{"reserve", http.MethodPost, "/master/reserve", url.Values{"slaveId": {id}, "resources": {text(oldForm("web", testbed.Scalar("disk", 64)))}}, 202},
		{"reserve with a source", http.MethodPost, "/reserve", url.Values{"slaveId": {id},
			"source":    {text(reservedFor("web", testbed.Scalar("disk", 64)))},
			"resources": {text(reservedFor("db", testbed.Scalar("disk", 64)))}}, 202},
		{"too much", http.MethodPost, "/reserve", url.Values{"slaveId": {id}, "resources": {text(reservedFor("web", testbed.Scalar("cpus", 64)))}}, 409},
		{"create", http.MethodPost, "/create-volumes", url.Values{"slaveId": {id}, "volumes": {text(volumeOf(reservedFor("db", testbed.Scalar("disk", 64)), "v"))}}, 202},
		{"create without volumes", http.MethodPost, "/create-volumes", url.Values{"slaveId": {id}, "resources": {"[]"}}, 400},
		{"unreserve a volume's disk", http.MethodPost, "/unreserve", url.Values{"slaveId": {id}, "resources": {text(reservedFor("db", testbed.Scalar("disk", 64)))}}, 409},
		{"destroy", http.MethodPost, "/destroy-volumes", url.Values{"slaveId": {id}, "volumes": {text(volumeOf(reservedFor("db", testbed.Scalar("disk", 64)), "v"))}}, 202},
		{"destroy again", http.MethodPost, "/destroy-volumes", url.Values{"slaveId": {id}, "volumes": {text(volumeOf(reservedFor("db", testbed.Scalar("disk", 64)), "v"))}}, 400},
		{"unreserve", http.MethodPost, "/unreserve", url.Values{"slaveId": {id}, "resources": {text(reservedFor("db", testbed.Scalar("disk", 64)))}}, 202},
	} {
		t.Run(step.name, func(t *testing.T) {
			answer := testbed.Do(t, step.method, master.URL(step.path), nil, []byte(step.form.Encode()))
			if answer.Status != step.status {
				t.Errorf("%d %s, want %d", answer.Status, answer.Text(), step.status)
			}
		})
	}
	if got := total(master, "", "disk"); got != 4096 {
		t.Errorf("%v of disk are unreserved, want all", got)
	}
}
