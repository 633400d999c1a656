package state

import (
	"testing"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// TestCheckpointedResources: what was reserved and made volumes outlives a change
// of --resources if it fits what there is, and an agent that it doesn't fit says so
// instead of forgetting it.
func TestCheckpointedResources(t *testing.T) {
	dynamic := func(text string) resources.Resources {
		r, err := resources.MustParse(text).PushReservation(&mesos.Resource_ReservationInfo{
			Type: mesos.Resource_ReservationInfo_DYNAMIC.Enum(), Role: new("web/a"),
		})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	volume := func(of resources.Resources) resources.Resources {
		list := of.Proto()
		list[0].Disk = &mesos.Resource_DiskInfo{
			Persistence: &mesos.Resource_DiskInfo_Persistence{Id: new("v")},
			Volume:      &mesos.Volume{ContainerPath: new("data"), Mode: mesos.Volume_RW.Enum()},
		}
		return resources.Of(list...)
	}
	for name, c := range map[string]struct {
		configured string
		kept       resources.Resources
		want       string // "" is an error
	}{
		"as before":                  {"cpus:8;mem:4096", dynamic("cpus:8;mem:2048"), "mem:2048; cpus(reservations: [(DYNAMIC,web/a)]):8; mem(reservations: [(DYNAMIC,web/a)]):2048"},
		"more of one, just less":     {"cpus:12;mem:2048", dynamic("cpus:8;mem:2048"), "cpus:4; cpus(reservations: [(DYNAMIC,web/a)]):8; mem(reservations: [(DYNAMIC,web/a)]):2048"},
		"too little of one":          {"cpus:12;mem:1024", dynamic("cpus:8;mem:2048"), ""},
		"too little for both":        {"disk:1024", dynamic("disk:512").Add(volume(dynamic("disk:1000"))), ""},
		"a volume and a reservation": {"disk:2048", dynamic("disk:512").Add(volume(dynamic("disk:1024"))), "disk:512; disk(reservations: [(DYNAMIC,web/a)]):512; disk(reservations: [(DYNAMIC,web/a)])[v:data]:1024"},
		"refined static":             {"cpus(web):4", dynamic("cpus(web):1"), "cpus(reservations: [(STATIC,web)]):3; cpus(reservations: [(STATIC,web), (DYNAMIC,web/a)]):1"},
		"static no more":             {"cpus:4", dynamic("cpus(web):1"), ""},
		"volume of static disk":      {"disk(web):10", volume(resources.MustParse("disk(web):4")), "disk(reservations: [(STATIC,web)]):6; disk(reservations: [(STATIC,web)])[v:data]:4"},
		"ports that moved":           {"ports:[31000-31010]", dynamic("ports:[32000-32001]"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := applyCheckpointed(resources.MustParse(c.configured), c.kept)
			switch {
			case c.want == "" && err == nil:
				t.Errorf("the agent has %s, want an error", got)
			case c.want != "" && (err != nil || got.String() != c.want):
				t.Errorf("the agent has %s, %v; want %s", got, err, c.want)
			}
		})
	}
}
