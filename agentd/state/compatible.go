package state

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// compatible says whether an agent may go on under its ID after its
// configuration changed. The policy is one of --reconfiguration_policy.
func compatible(policy string, before, now *mesos.AgentInfo) error {
	switch policy {
	case "any":
		return nil
	case "additive":
		return additive(before, now)
	}
	if what := difference(before, now); what != "" {
		return fmt.Errorf("%s changed, which the policy \"equal\" doesn't allow: from %s to %s",
			what, before.AppendMesosJSON(nil), now.AppendMesosJSON(nil))
	}
	return nil
}

func difference(before, now *mesos.AgentInfo) string {
	switch {
	case before.GetHostname() != now.GetHostname():
		return "the host name"
	case before.GetPort() != now.GetPort():
		return "the port"
	case !proto.Equal(before.GetDomain(), now.GetDomain()):
		return "the domain"
	case !resources.Of(before.GetResources()...).Equal(resources.Of(now.GetResources()...)):
		return "resources"
	case !resources.EqualAttributes(before.GetAttributes(), now.GetAttributes()):
		return "attributes"
	}
	return ""
}

// additive allows more resources and attributes, and a domain where was none.
func additive(before, now *mesos.AgentInfo) error {
	problem := ""
	switch {
	case before.GetHostname() != now.GetHostname():
		problem = "the host name changed from " + before.GetHostname() + " to " + now.GetHostname()
	case before.GetPort() != now.GetPort():
		problem = fmt.Sprintf("the port changed from %d to %d", before.GetPort(), now.GetPort())
	case before.Domain != nil && !proto.Equal(before.Domain, now.GetDomain()):
		problem = "the domain changed"
	case !resources.Of(now.GetResources()...).Contains(resources.Of(before.GetResources()...)):
		problem = "resources disappeared"
	}
	for _, a := range before.GetAttributes() {
		if !slices.ContainsFunc(now.GetAttributes(), func(b *mesos.Attribute) bool { return proto.Equal(a, b) }) {
			problem = "the attribute " + a.GetName() + " changed or disappeared"
		}
	}
	if problem != "" {
		return fmt.Errorf("%s, which the policy \"additive\" doesn't allow", problem)
	}
	return nil
}
