package httpapi

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	mesosmaster "github.com/mesos-operator/mesos-operator/api/mesos/v1/master"
	"github.com/mesos-operator/mesos-operator/internal/codec"
	"github.com/mesos-operator/mesos-operator/internal/resources"
	"github.com/mesos-operator/mesos-operator/masterd/state"
)

// TestAgentsTellOfTheirProviders: in both content types, and no more of what
// they have than may be seen.
func TestAgentsTellOfTheirProviders(t *testing.T) {
	info := &mesos.ResourceProviderInfo{
		Id: &mesos.ResourceProviderID{Value: new("p")}, Type: new("org.example.storage"), Name: new("disks"),
	}
	a := &state.Agent{
		ID: "a", Info: &mesos.AgentInfo{Hostname: new("h"), Id: &mesos.AgentID{Value: new("a")}}, Version: "1.11.0",
		Providers: []state.ResourceProvider{{Info: info, Total: resources.MustParse("disk:1;disk(web):2").Proto()}},
	}
	for who, shown := range map[string]int{"somebody": 2, "roles": 1} {
		see := limited(t).visibleTo(who)
		message := agentResponse(a, see)
		list := message.GetResourceProviders()
		if len(list) != 1 || len(list[0].GetTotalResources()) != shown {
			t.Fatalf("%s sees the providers %v", who, list)
		}
		if diff := cmp.Diff(info, list[0].GetResourceProviderInfo(), protocmp.Transform()); diff != "" {
			t.Error(diff)
		}
		read := &mesosmaster.Response_GetAgents_Agent{}
		if err := codec.Unmarshal(codec.JSON, appendAgentResponse(nil, a, see), read); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(list, read.GetResourceProviders(), protocmp.Transform()); diff != "" {
			t.Errorf("%s reads other providers in JSON:\n%s", who, diff)
		}
	}
}
