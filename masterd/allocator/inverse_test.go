package allocator

import (
	"testing"
	"time"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// TestMaintenanceOfUnknownFramework adds an agent under maintenance where a framework holds something
// that is added later: it is asked once it is known.
func TestMaintenanceOfUnknownFramework(t *testing.T) {
	h, err := New(DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(0, 0)
	held := resources.MustParse("cpus:1").Allocate("web")
	if _, err := h.AddAgent(Agent{
		Info:           &mesos.AgentInfo{Id: &mesos.AgentID{Value: new("a")}, Hostname: new("a")},
		Total:          resources.MustParse("cpus:2"),
		Unavailability: &mesos.Unavailability{Start: &mesos.TimeInfo{Nanoseconds: new(int64(1))}},
	}, []Held{{Framework: "f", Resources: held}}); err != nil {
		t.Fatal(err)
	}
	if asked := h.InverseOffers(now); len(asked) > 0 {
		t.Fatalf("asked %v, and nobody is there", asked)
	}
	if _, err := h.AddFramework(Framework{Active: true, Info: &mesos.FrameworkInfo{
		Id: &mesos.FrameworkID{Value: new("f")}, Role: new("web"),
	}}, nil); err != nil {
		t.Fatal(err)
	}
	asked := h.InverseOffers(now)
	if len(asked) != 1 || asked[0].Framework != "f" || asked[0].Agent != "a" || asked[0].Unavailability.GetStart().GetNanoseconds() != 1 {
		t.Errorf("asked %v", asked)
	}
}
