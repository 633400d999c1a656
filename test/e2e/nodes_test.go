package e2e

import (
	"strings"
	"testing"
)

// agent is what the leading master says of the only agent.
type agent struct {
	ID         string
	Active     bool
	Attributes map[string]any
	Domain     struct {
		FaultDomain struct{ Region, Zone struct{ Name string } } `json:"fault_domain"`
	}
}

func (k tools) agent() agent {
	var all struct{ Slaves []agent }
	out, err := k.run("kubectl", "get", "--raw=/api/v1/namespaces/"+namespace+"/services/"+cluster+"-leader:http/proxy/slaves")
	if err != nil || decode(out, &all) != nil || len(all.Slaves) != 1 {
		return agent{}
	}
	return all.Slaves[0]
}

// Labels of the node are attributes of its agent, and what they become while a task runs
// the agent becomes as well, under the same ID.
func TestNodeLabelsBecomeAttributes(t *testing.T) {
	k := setUp(t)
	const zone, region = "topology.kubernetes.io/zone", "topology.kubernetes.io/region"
	before := k.agent()
	if arch, _ := before.Attributes["kubernetes.io/arch"].(string); arch == "" {
		t.Errorf("no kubernetes.io/arch in %v", before.Attributes)
	}
	node := strings.TrimPrefix(strings.TrimSpace(k.must("kubectl", "get", "nodes", "--output=name")), "node/")
	has := func(what string, ok func(agent) bool) {
		t.Helper()
		var last agent
		eventually(t, what, func() bool { last = k.agent(); return last.Active && last.ID == before.ID && ok(last) })
		t.Logf("%s: %v, domain %+v", what, last.Attributes, last.Domain.FaultDomain)
	}
	k.survives(func() {
		k.must("kubectl", "label", "node", node, zone+"=b", region+"=eu")
		has("the zone is an attribute", func(a agent) bool { return a.Attributes[zone] == "b" && a.Attributes[region] == "eu" })
		k.must("kubectl", "label", "node", node, "--overwrite", zone+"=c")
		has("the zone has changed", func(a agent) bool { return a.Attributes[zone] == "c" })
	})
	k.keepsAgents(func() {
		k.must("kubectl", "patch", "mesoscluster", cluster, "--type=merge", `--patch={"spec":{"faultDomain":{"region":"eu"}}}`)
		has("the zone is in the fault domain", func(a agent) bool {
			d := a.Domain.FaultDomain
			return d.Region.Name == "eu" && d.Zone.Name == "c"
		})
	})
	k.survives(func() {
		k.must("kubectl", "label", "node", node, zone+"-", region+"-")
		has("the zone is gone", func(a agent) bool {
			return a.Attributes[zone] == nil && a.Domain.FaultDomain.Region.Name == ""
		})
	})
	k.settle(1)
}
