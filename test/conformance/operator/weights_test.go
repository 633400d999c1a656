package operator

import (
	"testing"

	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

func weights(pairs ...any) object {
	infos := list{}
	for i := 0; i < len(pairs); i += 2 {
		infos = append(infos, object{"role": pairs[i], "weight": pairs[i+1]})
	}
	return object{"weight_infos": infos}
}

// TestWeights sets weights, which the next leader knows.
func TestWeights(t *testing.T) {
	eachEncoding(t, func(t *testing.T, c client) {
		c.ok("UPDATE_WEIGHTS", weights("prod", 2.5))
		c.ok("UPDATE_WEIGHTS", weights("dev", 0.5, "prod/web", 3))
		c.refused(400, "UPDATE_WEIGHTS", weights("prod", 9, "dev", 0))
		c.refused(400, "UPDATE_WEIGHTS", weights("prod", -1))
		c.refused(400, "UPDATE_WEIGHTS", weights("a b", 1))
		c.master.Kill()
		c.master.Start()
		got := c.ask("GET_WEIGHTS")
		for role, want := range map[string]float64{"prod": 2.5, "dev": 0.5, "prod/web": 3} {
			if weight := got.At("weight_infos").Find(role, "role").At("weight").Number(); weight != want {
				t.Errorf("weight of %s is %v, want %v", role, weight, want)
			}
		}
		if c.encoding == testbed.JSON {
			checkShape(t, got, recorded(t, "GET_WEIGHTS").At("get_weights"), nil)
			checkShape(t, c.master.Get("/weights"), recorded(t, "busy_weights"), nil)
		}
		if weight := c.master.Get("/roles").At("roles").Find("prod/web", "name").At("weight").Number(); weight != 3 {
			t.Errorf("/roles shows weight %v", weight)
		}
	})
}

// TestWeightsEndpoint is the v0 form.
func TestWeightsEndpoint(t *testing.T) {
	master := testbed.StartMaster(t, "--registry=in_memory", "--weights=seed=4,prod=1", "--roles=seed,prod")
	expect(t, master, 200, "PUT", "/weights", `[{"role":"prod","weight":2}]`)
	expect(t, master, 200, "PUT", "/master/weights", ` [] `)
	for _, body := range []string{
		"", "{}", "null", `[{"role":"prod"}]`, `[{"role":"prod","weight":0}]`, `[{"role":"stranger","weight":1}]`,
		`[],"x":[]`, `[{"role":"prod","weight":"much"}]`,
	} {
		expect(t, master, 400, "PUT", "/weights", body)
	}
	expect(t, master, 405, "POST", "/weights", "[]")
	expect(t, master, 405, "DELETE", "/weights", "")
	got := master.Get("/weights")
	if len(got.List()) != 2 || got.Find("seed", "role").At("weight").Number() != 4 || got.Find("prod", "role").At("weight").Number() != 2 {
		t.Errorf("weights %v", got)
	}
}

// TestWeightsAreSeededOnce starts with --weights and starts again with others:
// the registry counts.
func TestWeightsAreSeededOnce(t *testing.T) {
	master := testbed.StartMaster(t, "--weights=prod=2")
	master.Kill()
	master.SetFlags("--weights=prod=3,dev=5")
	master.Start()
	got := master.Get("/weights")
	if len(got.List()) != 1 || got.At(0, "weight").Number() != 2 {
		t.Errorf("weights %v, want the 2 of the registry", got)
	}
}

// TestWeightsRescind rescinds what is on offer, and offers it again.
func TestWeightsRescind(t *testing.T) {
	eachEncoding(t, func(t *testing.T, c client) {
		f := testbed.Subscribe(t, c.master, testbed.FrameworkOptions{Info: object{"roles": list{"prod"}}})
		testbed.StartAgent(t, c.master.Address, testbed.Posix)
		offer := f.Offer()
		c.ok("UPDATE_WEIGHTS", weights("prod", 2))
		rescind := f.Await("RESCIND", testbed.Type("RESCIND"))
		if got := rescind.At("rescind", "offer_id", "value").Text(); got != offer.At("id", "value").Text() {
			t.Errorf("offer %s is rescinded, not %v", got, offer.At("id"))
		}
		f.Offer()
	})
}
