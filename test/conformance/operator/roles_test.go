package operator

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// role is a role of /roles with nothing to it but what members say.
func role(name string, members object) object {
	quota := object{"role": name, "guarantee": object{}, "limit": object{}, "consumed": object{}}
	r := object{"name": name, "weight": 1, "quota": quota, "resources": object{}, "allocated": object{},
		"offered": object{}, "reserved": object{}, "frameworks": list{}}
	for member, value := range members {
		if part, ok := strings.CutPrefix(member, "quota."); ok {
			quota[part] = value
		} else {
			r[member] = value
		}
	}
	return r
}

// plain is what encoding/json makes of a value: 1.0 and 1 are the same number.
func plain(v any) (out any, err error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("writing %v: %w", v, err)
	}
	err = json.Unmarshal(text, &out)
	return out, err
}

// awaitRoles waits until /roles is the roles wanted, sorted by name, and nothing else, and GET_ROLES
// has the same with their weights and frameworks.
func awaitRoles(c client, want ...object) {
	c.t.Helper()
	wanted, err := plain(object{"roles": append([]object{}, want...)})
	if err != nil {
		c.t.Fatal(err)
	}
	testbed.Eventually(c.t, "the roles are those", func() error {
		got, err := plain(c.master.Get("/roles").Raw())
		if err != nil {
			return err
		}
		if diff := cmp.Diff(wanted, got); diff != "" {
			return fmt.Errorf("/roles (-want +got):\n%s", diff)
		}
		return nil
	})
	var names, called []string
	for _, r := range want {
		names = append(names, fmt.Sprint(r["name"], " ", r["weight"], " ", r["frameworks"]))
	}
	for _, r := range c.ask("GET_ROLES").At("roles").List() {
		frameworks := list{}
		for _, id := range r.At("frameworks").List() {
			frameworks = append(frameworks, id.At("value").Text())
		}
		called = append(called, fmt.Sprint(r.At("name").Text(), " ", r.At("weight").Number(), " ", frameworks))
	}
	if !slices.Equal(names, called) {
		c.t.Errorf("GET_ROLES has %q, want %q", called, names)
	}
}

// TestRolesOfReservations: what agents reserve makes roles known, and those above them, and counts
// as consumed of their quota although nobody uses it.
func TestRolesOfReservations(t *testing.T) {
	eachEncoding(t, func(t *testing.T, c client) {
		awaitRoles(c)
		reserved := object{"cpus": 1, "mem": 10}
		both := object{"reserved": reserved, "quota.consumed": reserved}
		testbed.StartAgent(t, c.master.Address, testbed.Posix, "--resources=cpus(ancestor/child):1;mem(ancestor/child):10")
		awaitRoles(c, role("ancestor", both), role("ancestor/child", both))
		testbed.StartAgent(t, c.master.Address, testbed.Posix, "--resources=cpus(ancestor):2;mem(other):5")
		sum := object{"cpus": 3, "mem": 10}
		awaitRoles(c, role("ancestor", object{"reserved": sum, "quota.consumed": sum}), role("ancestor/child", both),
			role("other", object{"reserved": object{"mem": 5}, "quota.consumed": object{"mem": 5}}))
	})
}

// TestRolesOfQuotas: a quota makes a role known until it is removed.
func TestRolesOfQuotas(t *testing.T) {
	eachEncoding(t, func(t *testing.T, c client) {
		expect(t, c.master, 200, "POST", "/quota", `{"role":"foo","force":true,"guarantee":[
			{"name":"cpus","type":"SCALAR","scalar":{"value":1}},{"name":"mem","type":"SCALAR","scalar":{"value":512}}]}`)
		amount := object{"cpus": 1, "mem": 512}
		awaitRoles(c, role("foo", object{"quota.guarantee": amount, "quota.limit": amount}))
		expect(t, c.master, 200, "DELETE", "/quota/foo", "")
		awaitRoles(c)
		c.ok("UPDATE_QUOTA", quotas(quotaConfig("bar", nil, amounts("cpus", 2))))
		awaitRoles(c, role("bar", object{"quota.limit": object{"cpus": 2}}))
	})
}

// TestRolesConsume: reservations, used, offered and free, and what else is used are consumed of a
// quota; what else is offered isn't.
func TestRolesConsume(t *testing.T) {
	eachEncoding(t, func(t *testing.T, c client) {
		f := testbed.Subscribe(t, c.master, testbed.FrameworkOptions{Info: object{"roles": list{"web"}}})
		run := func(id string, cpus, mem float64, reserved bool) {
			offer := f.Offer()
			task := testbed.Task(offer, id, testbed.NewSleeper().Command())
			resources := list{testbed.Scalar("cpus", cpus), testbed.Scalar("mem", mem)}
			if reserved {
				for _, r := range resources {
					r.(object)["reservations"] = list{object{"type": "STATIC", "role": "web"}}
				}
			}
			task["resources"] = resources
			f.Accept(offer, testbed.Launch(task))
			f.Follow(id, "TASK_STARTING", "TASK_RUNNING")
		}
		testbed.StartAgent(t, c.master.Address, testbed.Posix, "--resources=cpus(web):1;mem(web):64;disk:0;ports:[]")
		run("reserved", 1, 64, true)
		testbed.StartAgent(t, c.master.Address, testbed.Posix, "--resources=cpus:2;mem:128;disk:0;ports:[]")
		run("free", 2, 128, false)
		testbed.StartAgent(t, c.master.Address, testbed.Posix,
			"--resources=cpus(web):100;mem(web):1000;ports(web):[100-199];cpus:1000;mem:10000;disk:0;ports:[1000-1999]")
		awaitRoles(c, role("web", object{
			"frameworks":     list{f.ID},
			"allocated":      object{"cpus": 3, "mem": 192},
			"offered":        object{"cpus": 1100, "mem": 11000, "ports": 1100},
			"resources":      object{"cpus": 1103, "mem": 11192, "ports": 1100},
			"reserved":       object{"cpus": 101, "mem": 1064, "ports": 100},
			"quota.consumed": object{"cpus": 103, "mem": 1192, "ports": 100},
		}))
	})
}

// TestRolesOfFrameworks: a framework makes each of its roles known until it is torn down.
func TestRolesOfFrameworks(t *testing.T) {
	eachEncoding(t, func(t *testing.T, c client) {
		f := testbed.Subscribe(t, c.master, testbed.FrameworkOptions{Encoding: c.encoding, Info: object{"roles": list{"role1", "role2"}}})
		of := object{"frameworks": list{f.ID}}
		awaitRoles(c, role("role1", of), role("role2", of))
		f.Call("TEARDOWN", nil)
		awaitRoles(c)
	})
}

// TestRolesOfWeights: a weight makes a role known, with or without a framework in it; a role
// without one weighs 1.
func TestRolesOfWeights(t *testing.T) {
	eachEncoding(t, func(t *testing.T, c client) {
		c.ok("UPDATE_WEIGHTS", weights("x", 5, "y", 4))
		subscribed := func(role string) object {
			f := testbed.Subscribe(t, c.master, testbed.FrameworkOptions{Encoding: c.encoding, Info: object{"roles": list{role}}})
			return object{"frameworks": list{f.ID}}
		}
		x, z := subscribed("x"), subscribed("z")
		x["weight"] = 5
		awaitRoles(c, role("x", x), role("y", object{"weight": 4}), role("z", z))
	})
}
