package state

import (
	"cmp"
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

// additive allows more resources and attributes, larger ones, and a domain where was none.
func additive(before, now *mesos.AgentInfo) error {
	err := cmp.Or(sameAddress(before, now), resourcesGrew(before, now), attributesGrew(before, now))
	if err != nil {
		return fmt.Errorf("the policy \"additive\" doesn't allow the change of %w", err)
	}
	return nil
}

func sameAddress(before, now *mesos.AgentInfo) error {
	switch {
	case before.GetHostname() != now.GetHostname():
		return fmt.Errorf("the host name from %s to %s", before.GetHostname(), now.GetHostname())
	case before.GetPort() != now.GetPort():
		return fmt.Errorf("the port from %d to %d", before.GetPort(), now.GetPort())
	case before.Domain != nil && !proto.Equal(before.Domain, now.Domain):
		return fmt.Errorf("the domain from %s to %s",
			before.Domain.AppendMesosJSON(nil), now.GetDomain().AppendMesosJSON(nil))
	}
	return nil
}

// resourcesGrew compares kind by kind: a reservation of one role makes up for none of
// another's, and a disk that is handed out as a whole may become larger.
func resourcesGrew(before, now *mesos.AgentInfo) error {
	have := resources.Of(now.GetResources()...)
	for was := range resources.Of(before.GetResources()...).All() {
		is, ok := have.Match(was)
		switch {
		case !ok:
			return fmt.Errorf("resources: %s is gone", was.Resources())
		case !was.Within(is):
			return fmt.Errorf("resources: %s isn't part of %s", was.Resources(), is.Resources())
		}
	}
	return nil
}

// attributesGrew looks at the first attribute of each name. Ranges and sets may grow;
// numbers and texts stay, because constraints of running tasks were judged by them.
func attributesGrew(before, now *mesos.AgentInfo) error {
	for _, was := range before.GetAttributes() {
		i := slices.IndexFunc(now.GetAttributes(), func(a *mesos.Attribute) bool { return a.GetName() == was.GetName() })
		switch {
		case i < 0:
			return fmt.Errorf("attributes: %s is gone", was.GetName())
		case !attributeGrew(was, now.GetAttributes()[i]):
			return fmt.Errorf("attribute %s from %s to %s", was.GetName(),
				was.AppendMesosJSON(nil), now.GetAttributes()[i].AppendMesosJSON(nil))
		}
	}
	return nil
}

func attributeGrew(was, is *mesos.Attribute) bool {
	if was.GetType() != is.GetType() {
		return false
	}
	switch was.GetType() {
	case mesos.Value_RANGES:
		return resources.RangesFromProto(is.GetRanges()).Contains(resources.RangesFromProto(was.GetRanges()))
	case mesos.Value_SET:
		return resources.SetOf(is.GetSet().GetItem()...).Contains(resources.SetOf(was.GetSet().GetItem()...))
	}
	return resources.EqualAttributes([]*mesos.Attribute{was}, []*mesos.Attribute{is})
}
