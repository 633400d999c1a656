package operator

import (
	"fmt"
	"testing"

	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// amounts is a map of scalars: "cpus", 1, "mem", 32.
func amounts(pairs ...any) object {
	m := object{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i].(string)] = object{"value": pairs[i+1]}
	}
	return m
}

func quotaConfig(role string, guarantees, limits object) object {
	return object{"role": role, "guarantees": guarantees, "limits": limits}
}

func quotas(configs ...any) object { return object{"quota_configs": configs} }

func forced(update object) object {
	update["force"] = true
	return update
}

// quotaMaps are objects whose members are data.
var quotaMaps = []string{"status.configs[].guarantees", "status.configs[].limits", "configs[].guarantees", "configs[].limits"}

// TestQuota sets quotas, which the next leader knows, and resets them.
func TestQuota(t *testing.T) {
	eachEncoding(t, func(t *testing.T, c client) {
		testbed.StartAgent(t, c.master.Address, testbed.Posix)
		awaitAgents(t, c.master, 1)
		c.ok("UPDATE_QUOTA", quotas(
			quotaConfig("prod", amounts("cpus", 1), amounts("cpus", 3, "mem", 2048)),
			quotaConfig("dev", nil, amounts("cpus", 0.5)),
		))
		for name, update := range map[string]object{
			"guarantee above limit": quotas(quotaConfig("x", amounts("cpus", 2), amounts("cpus", 1))),
			"capacity":              quotas(quotaConfig("x", amounts("cpus", 4), nil)),
			"capacity together":     quotas(quotaConfig("x", amounts("cpus", 2), nil), quotaConfig("y", amounts("cpus", 2), nil)),
			"unknown resource":      quotas(quotaConfig("x", amounts("unobtainium", 1), nil)),
			"nested role":           quotas(quotaConfig("prod/web", amounts("cpus", 0.1), nil)),
			"bad role":              quotas(quotaConfig("a b", amounts("cpus", 0.1), nil)),
			"negative":              quotas(quotaConfig("x", nil, amounts("cpus", -1))),
			"too large":             quotas(quotaConfig("x", nil, amounts("mem", 2e12))),
			"one of two":            quotas(quotaConfig("x", nil, amounts("cpus", 1)), quotaConfig("y", nil, amounts("cpus", -1))),
		} {
			t.Run(name, func(*testing.T) { c.refused(400, "UPDATE_QUOTA", update) })
		}
		c.ok("UPDATE_QUOTA", forced(quotas(quotaConfig("greedy", amounts("cpus", 100), nil))))
		c.ok("UPDATE_QUOTA", quotas(quotaConfig("greedy", nil, nil)))
		got := c.ask("GET_QUOTA").At("status")
		if len(got.At("configs").List()) != 3 || !got.At("configs").Find("greedy", "role").Exists() {
			t.Errorf("a reset quota is not there, empty: %v", got)
		}

		c.master.Kill()
		c.master.Start()
		got = c.ask("GET_QUOTA")
		prod := got.At("status", "configs").Find("prod", "role")
		if len(got.At("status", "configs").List()) != 2 || prod.At("limits", "mem", "value").Number() != 2048 ||
			prod.At("guarantees", "cpus", "value").Number() != 1 {
			t.Errorf("quota after a failover: %v", got)
		}
		if c.encoding == testbed.JSON {
			checkShape(t, got, recorded(t, "GET_QUOTA").At("get_quota"), quotaMaps)
			checkShape(t, c.master.Get("/quota"), recorded(t, "busy_quota"), quotaMaps)
		}
	})
}

// awaitAgents waits until so many agents are registered.
func awaitAgents(t *testing.T, master *testbed.Master, n int) {
	t.Helper()
	testbed.Eventually(t, "agents are registered", func() error {
		if got := len(master.Get("/slaves").At("slaves").List()); got != n {
			return fmt.Errorf("%d agents, want %d", got, n)
		}
		return nil
	})
}

// TestQuotaIsEnforced holds a role to its limit: what it was offered above that
// is rescinded, and it is offered no more than that.
func TestQuotaIsEnforced(t *testing.T) {
	eachEncoding(t, func(t *testing.T, c client) {
		f := testbed.Subscribe(t, c.master, testbed.FrameworkOptions{Info: object{"roles": list{"prod"}}})
		testbed.StartAgent(t, c.master.Address, testbed.Posix)
		if cpus := scalarOf(f.Offer().At("resources"), "cpus"); cpus != 4 {
			t.Fatalf("an offer of %v cpus", cpus)
		}
		c.ok("UPDATE_QUOTA", quotas(quotaConfig("prod", nil, amounts("cpus", 1.5))))
		f.Await("RESCIND", testbed.Type("RESCIND"))
		offer := f.Offer()
		if cpus := scalarOf(offer.At("resources"), "cpus"); cpus != 1.5 {
			t.Errorf("an offer of %v cpus, the limit is 1.5", cpus)
		}
		task := testbed.Task(offer, "t", testbed.NewSleeper().Command())
		task["resources"] = list{testbed.Scalar("cpus", 1), testbed.Scalar("mem", 64)}
		f.Accept(offer, testbed.Launch(task))
		f.Follow("t", "TASK_STARTING", "TASK_RUNNING")
		role := c.master.Get("/roles").At("roles").Find("prod", "name")
		if got := role.At("quota", "consumed", "cpus").Number(); got != 1 {
			t.Errorf("consumed %v cpus, want 1: %v", got, role)
		}
		c.refused(400, "UPDATE_QUOTA", quotas(quotaConfig("prod", nil, amounts("cpus", 0.5))))
		c.ok("UPDATE_QUOTA", forced(quotas(quotaConfig("prod", amounts("cpus", 0.5), amounts("cpus", 0.5)))))
		snapshot := c.master.Get("/metrics/snapshot")
		for name, want := range map[string]float64{"guarantee": 0.5, "offered_or_allocated": 1} {
			if got := snapshot.At("allocator/mesos/quota/roles/prod/resources/cpus/" + name).Number(); got != want {
				t.Errorf("metric %s is %v, want %v", name, got, want)
			}
		}
		if c.encoding == testbed.JSON {
			checkShape(t, c.ask("GET_ROLES"), recorded(t, "GET_ROLES").At("get_roles"), nil)
			checkShape(t, c.master.Get("/roles"), recorded(t, "busy_roles"), []string{
				"roles[].quota.guarantee", "roles[].quota.limit", "roles[].quota.consumed", "roles[].resources",
				"roles[].allocated", "roles[].offered", "roles[].reserved"})
		}
	})
}

// scalarOf adds up a resource.
func scalarOf(resources testbed.Value, name string) float64 {
	sum := 0.0
	for _, r := range resources.List() {
		if r.At("name").Text() == name {
			sum += r.At("scalar", "value").Number()
		}
	}
	return sum
}

// TestQuotaGuarantee makes room for a guarantee by rescinding what others are
// offered.
func TestQuotaGuarantee(t *testing.T) {
	master := testbed.StartMaster(t, "--registry=in_memory")
	c := client{t, master, testbed.JSON}
	greedy := testbed.Subscribe(t, master, testbed.FrameworkOptions{Info: object{"roles": list{"greedy"}}})
	testbed.StartAgent(t, master.Address, testbed.Posix)
	greedy.Offer()
	poor := testbed.Subscribe(t, master, testbed.FrameworkOptions{Info: object{"roles": list{"poor"}}})
	c.ok("UPDATE_QUOTA", quotas(quotaConfig("poor", amounts("cpus", 3), nil)))
	greedy.Await("RESCIND", testbed.Type("RESCIND"))
	if cpus := scalarOf(poor.Offer().At("resources"), "cpus"); cpus < 3 {
		t.Errorf("an offer of %v cpus, 3 are guaranteed", cpus)
	}
}

// TestQuotaEndpoint is the v0 form, and SET_QUOTA and REMOVE_QUOTA.
func TestQuotaEndpoint(t *testing.T) {
	master := testbed.StartMaster(t, "--registry=in_memory")
	testbed.StartAgent(t, master.Address, testbed.Posix)
	awaitAgents(t, master, 1)
	cpus := func(n int) string {
		return fmt.Sprintf(`"guarantee":[{"name":"cpus","type":"SCALAR","scalar":{"value":%d}}]`, n)
	}
	expect(t, master, 200, "POST", "/quota", `{"role":"prod",`+cpus(3)+`}`)
	expect(t, master, 400, "POST", "/quota", `{"role":"prod",`+cpus(1)+`}`)
	expect(t, master, 409, "POST", "/quota", `{"role":"dev",`+cpus(2)+`}`)
	expect(t, master, 200, "POST", "/quota", `{"force":true,"role":"dev",`+cpus(2)+`}`)
	for _, body := range []string{
		"", "[]", "{}", `{"role":"x"}`, `{"role":"a/b",` + cpus(1) + `}`, `{"role":"/",` + cpus(1) + `}`,
		`{"role":"x","guarantee":[{"name":"cpus","type":"SCALAR","scalar":{"value":0.1},"role":"x"}]}`,
		`{"role":"x","guarantee":[{"name":"disk","type":"SCALAR","scalar":{"value":1},"disk":{}}]}`,
		`{"role":"x","guarantee":[{"name":"cpus","type":"SCALAR","scalar":{"value":0.1},"revocable":{}}]}`,
		`{"role":"x","guarantee":[{"name":"ports","type":"RANGES","ranges":{"range":[{"begin":1,"end":2}]}}]}`,
		`{"role":"x","guarantee":[{"name":"cpus","type":"SCALAR","scalar":{"value":0.1}},{"name":"cpus","type":"SCALAR","scalar":{"value":0.1}}]}`,
	} {
		expect(t, master, 400, "POST", "/quota", body)
	}
	expect(t, master, 405, "PUT", "/quota", "{}")
	expect(t, master, 400, "DELETE", "/quota", "")
	expect(t, master, 400, "DELETE", "/master/quota/nobody", "")
	expect(t, master, 200, "DELETE", "/master/quota/dev", "")
	expect(t, master, 400, "DELETE", "/quota/dev", "")
	c := client{t, master, testbed.JSON}
	c.ok("REMOVE_QUOTA", object{"role": "prod"})
	if got := master.Get("/quota"); got.At("configs").Exists() || got.At("infos").Exists() {
		t.Errorf("quota that was removed: %v", got)
	}
	request := object{"role": "prod", "guarantee": list{testbed.Scalar("cpus", 9)}}
	c.refused(409, "SET_QUOTA", object{"quota_request": request})
	request["force"] = true
	c.ok("SET_QUOTA", object{"quota_request": request})
	c.refused(400, "REMOVE_QUOTA", object{"role": "dev"})
	config := master.Get("/quota").At("configs", 0)
	if config.At("guarantees", "cpus", "value").Number() != 9 || config.At("limits", "cpus", "value").Number() != 9 {
		t.Errorf("quota %v: a guarantee of the old form is the limit, too", config)
	}
}
