package operator

import (
	"fmt"
	"testing"
	"time"

	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// inAnHour is an unavailability of ten minutes.
func inAnHour() object {
	return object{
		"start":    object{"nanoseconds": time.Now().Add(time.Hour).UnixNano()},
		"duration": object{"nanoseconds": (10 * time.Minute).Nanoseconds()},
	}
}

func machine(hostname, ip string) object { return object{"hostname": hostname, "ip": ip} }

// here is the machine of the agents of these tests, in another spelling.
var here = machine("LocalHost", "127.0.0.1")

func window(unavailability object, machines ...any) object {
	return object{"machine_ids": machines, "unavailability": unavailability}
}

func schedule(windows ...any) object { return object{"schedule": object{"windows": windows}} }

func machines(ids ...any) object { return object{"machines": ids} }

// TestMaintenance takes a machine through all modes, with a change of leader in
// each.
func TestMaintenance(t *testing.T) {
	eachEncoding(t, func(t *testing.T, c client) {
		f := testbed.Subscribe(t, c.master, testbed.FrameworkOptions{})
		agent := testbed.NewAgent(t, c.master.Address, testbed.Posix)
		agent.Start()
		f.Run("t", testbed.NewSleeper().Command())
		f.Follow("t", "TASK_STARTING", "TASK_RUNNING")

		c.ok("UPDATE_MAINTENANCE_SCHEDULE", schedule(window(inAnHour(), here)))
		offer := f.Await("an offer with unavailability", func(v testbed.Value) bool {
			return v.At("offers", "offers", 0, "unavailability").Exists()
		})
		if ns := offer.At("offers", "offers", 0, "unavailability", "duration", "nanoseconds").Number(); ns != 6e11 {
			t.Errorf("unavailable for %v ns", ns)
		}
		asked := f.Await("INVERSE_OFFERS", testbed.Type("INVERSE_OFFERS")).At("inverse_offers", "inverse_offers", 0)
		if asked.At("agent_id", "value").Text() == "" || asked.At("unavailability", "start", "nanoseconds").Number() == 0 ||
			asked.At("url", "path").Text() != "/slave(1)" {
			t.Errorf("inverse offer %v", asked)
		}
		f.Call("DECLINE_INVERSE_OFFERS", object{
			"inverse_offer_ids": list{asked.At("id").Raw()}, "filters": object{"refuse_seconds": 0.0}})
		asked = f.Await("another one", testbed.Type("INVERSE_OFFERS")).At("inverse_offers", "inverse_offers", 0)
		awaitAnswer(t, c, "DECLINE")
		f.Call("ACCEPT_INVERSE_OFFERS", object{
			"inverse_offer_ids": list{asked.At("id").Raw()}, "filters": object{"refuse_seconds": 1000.0}})
		awaitAnswer(t, c, "ACCEPT")
		if c.encoding == testbed.JSON {
			checkShape(t, c.ask("GET_MAINTENANCE_SCHEDULE"),
				recorded(t, "GET_MAINTENANCE_SCHEDULE_scheduled").At("get_maintenance_schedule"), nil)
			checkShape(t, c.ask("GET_MAINTENANCE_STATUS"), recorded(t, "GET_MAINTENANCE_STATUS_scheduled").At("get_maintenance_status"),
				nil, "status.draining_machines[].statuses")
		}

		c.master.Kill()
		c.master.Start()
		if got := c.ask("GET_MAINTENANCE_SCHEDULE").At("schedule", "windows", 0, "machine_ids", 0, "hostname").Text(); got != "LocalHost" {
			t.Errorf("the schedule after a failover names machine %q", got)
		}
		awaitAgents(t, c.master, 1)
		f.Resubscribe()
		c.ok("START_MAINTENANCE", machines(here))
		status, _ := f.AwaitUpdate("t", "TASK_LOST")
		if status.At("reason").Text() != "REASON_AGENT_REMOVED" {
			t.Errorf("status %v", status)
		}
		awaitAgents(t, c.master, 0)
		agent.AwaitEnd()

		c.master.Kill()
		c.master.Start()
		if got := c.ask("GET_MAINTENANCE_STATUS").At("status", "down_machines", 0, "ip").Text(); got != "127.0.0.1" {
			t.Errorf("machine %q is down after a failover", got)
		}
		agent.Launch()
		agent.AwaitEnd() // it is shut down again
		c.ok("STOP_MAINTENANCE", machines(here))
		if got := c.ask("GET_MAINTENANCE_SCHEDULE"); got.At("schedule", "windows").Exists() {
			t.Errorf("schedule of a cluster that is up: %v", got)
		}
		agent.Start()
		awaitAgents(t, c.master, 1)
	})
}

// awaitAnswer waits until the only machine has the only answer.
func awaitAnswer(t *testing.T, c client, want string) {
	t.Helper()
	testbed.Eventually(t, "the answer is shown", func() error {
		statuses := c.ask("GET_MAINTENANCE_STATUS").At("status", "draining_machines", 0, "statuses")
		if len(statuses.List()) != 1 || statuses.At(0, "status").Text() != want {
			return fmt.Errorf("statuses %v, want %s", statuses, want)
		}
		return nil
	})
}

// TestScheduleValidation is what is refused.
func TestScheduleValidation(t *testing.T) {
	eachEncoding(t, func(t *testing.T, c client) {
		soon := inAnHour()
		a, b := machine("a", "10.0.0.1"), machine("b", "10.0.0.2")
		c.ok("UPDATE_MAINTENANCE_SCHEDULE", schedule(window(soon, a), window(soon, b, machine("c", ""), object{"ip": "10.0.0.3"})))
		for name, s := range map[string]object{
			"an empty window":      schedule(window(soon)),
			"a machine twice":      schedule(window(soon, a, machine("A", "10.0.0.1"))),
			"in two windows":       schedule(window(soon, a), window(soon, a)),
			"a nameless machine":   schedule(window(soon, object{})),
			"not an address":       schedule(window(soon, machine("a", "10.0.0"))),
			"a negative duration":  schedule(window(object{"start": object{"nanoseconds": 1}, "duration": object{"nanoseconds": -1}}, a)),
			"one bad, others good": schedule(window(soon, b), window(soon)),
		} {
			t.Run(name, func(*testing.T) { c.refused(400, "UPDATE_MAINTENANCE_SCHEDULE", s) })
		}
		c.refused(400, "START_MAINTENANCE", machines())
		c.refused(400, "START_MAINTENANCE", machines(a, a))
		c.refused(400, "START_MAINTENANCE", machines(machine("stranger", "10.0.0.9")))
		c.refused(400, "START_MAINTENANCE", machines(a, machine("stranger", "10.0.0.9")))
		c.refused(400, "STOP_MAINTENANCE", machines(a))
		c.ok("START_MAINTENANCE", machines(machine("A", "10.0.0.1")))
		c.refused(400, "START_MAINTENANCE", machines(a))
		c.refused(400, "UPDATE_MAINTENANCE_SCHEDULE", schedule(window(soon, b)))
		c.ok("UPDATE_MAINTENANCE_SCHEDULE", schedule(window(soon, a)))
		c.ok("STOP_MAINTENANCE", machines(a))
		c.ok("UPDATE_MAINTENANCE_SCHEDULE", schedule())
	})
}

// TestMaintenanceEndpoints are the v0 forms.
func TestMaintenanceEndpoints(t *testing.T) {
	master := testbed.StartMaster(t, "--registry=in_memory")
	post := func(status int, path, body string) {
		t.Helper()
		expect(t, master, status, "POST", path, body)
	}
	const a = `{"hostname":"a","ip":"10.0.0.1"}`
	post(200, "/maintenance/schedule", `{"windows":[{"machine_ids":[`+a+`],"unavailability":{"start":{"nanoseconds":1443830400000000000}}}]}`)
	for _, body := range []string{"", "[]", `{"windows":[{"machine_ids":[` + a + `]}]}`, `{"windows":[{"unavailability":{"start":{"nanoseconds":1}}}]}`} {
		post(400, "/maintenance/schedule", body)
	}
	checkShape(t, master.Get("/master/maintenance/schedule"), recorded(t, "busy_maintenance_schedule"), nil,
		"windows[].unavailability.duration")
	checkShape(t, master.Get("/maintenance/status"), recorded(t, "busy_maintenance_status"), nil)
	post(400, "/machine/up", "["+a+"]")
	for _, body := range []string{"", "{}", "[]", a, `[{"hostname":"b"}]`} {
		post(400, "/machine/down", body)
	}
	post(200, "/master/machine/down", "["+a+"]")
	if got := master.Get("/maintenance/status").At("down_machines", 0, "hostname").Text(); got != "a" {
		t.Errorf("machine %q is down", got)
	}
	post(200, "/machine/up", "["+a+"]")
	for path, method := range map[string]string{
		"/maintenance/schedule": "PUT", "/maintenance/status": "POST", "/machine/down": "GET", "/machine/up": "GET",
	} {
		expect(t, master, 405, method, path, "")
	}
}
