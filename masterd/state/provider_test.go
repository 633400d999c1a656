package state

import (
	"testing"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// TestAgentsProvidersAreShown: a View has what an agent told last of its
// providers, with what is theirs of its total.
func TestAgentsProvidersAreShown(t *testing.T) {
	r := newRig(t, DefaultConfig(&mesos.MasterInfo{Id: new("m"), Pid: new("master@10.0.0.1:5050")}))
	a := r.addAgent(0, "cpus:4;disk:100")
	tell := func(providers ...*messages.UpdateSlaveMessage_ResourceProvider) []ResourceProvider {
		r.do(PeerMessage{From: agentPID(0), To: "master", Message: &messages.UpdateSlaveMessage{
			SlaveId: &mesos.AgentID{Value: new(string(a))}, UpdateOversubscribedResources: new(false),
			Operations:        &messages.UpdateSlaveMessage_Operations{},
			ResourceProviders: &messages.UpdateSlaveMessage_ResourceProviders{Providers: providers},
		}})
		for shown := range r.m.View().Agents.All() {
			return shown.Providers
		}
		return nil
	}
	got := tell(&messages.UpdateSlaveMessage_ResourceProvider{
		Info: &mesos.ResourceProviderInfo{
			Id: &mesos.ResourceProviderID{Value: new("rp")}, Type: new("t"), Name: new("n"),
		},
		ResourceVersionUuid: &mesos.UUID{Value: []byte{1}}, Operations: &messages.UpdateSlaveMessage_Operations{},
		TotalResources: []*mesos.Resource{rawDisk(8)},
	})
	if len(got) != 1 || got[0].Info.GetName() != "n" || !resources.Of(got[0].Total...).Equal(resources.Of(rawDisk(8))) {
		t.Errorf("the agent has the providers %v", got)
	}
	if got := tell(); len(got) != 0 {
		t.Errorf("the agent still has the providers %v", got)
	}
}
