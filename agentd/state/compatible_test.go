package state

import (
	"testing"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// TestReconfigurationPolicies: what may change of an agent that keeps its ID.
func TestReconfigurationPolicies(t *testing.T) {
	domain := func(zone string) *mesos.DomainInfo {
		return &mesos.DomainInfo{FaultDomain: &mesos.DomainInfo_FaultDomain{
			Region: &mesos.DomainInfo_FaultDomain_RegionInfo{Name: new("r")}, Zone: &mesos.DomainInfo_FaultDomain_ZoneInfo{Name: &zone},
		}}
	}
	rack := func(value string) *mesos.Attribute {
		return &mesos.Attribute{Name: new("rack"), Type: mesos.Value_TEXT.Enum(), Text: &mesos.Value_Text{Value: &value}}
	}
	parse := func(text string) []*mesos.Resource { return resources.MustParse(text).Proto() }
	base := func() *mesos.AgentInfo {
		return &mesos.AgentInfo{
			Hostname: new("h"), Port: new(int32(5051)), Resources: parse("cpus:4;mem:1024;ports:[1-10];cpus(web):2"),
			Attributes: []*mesos.Attribute{rack("r1")},
		}
	}
	for name, c := range map[string]struct {
		before, now     func(*mesos.AgentInfo)
		equal, additive bool
	}{
		"nothing": {equal: true, additive: true},
		"order of resources": {now: func(a *mesos.AgentInfo) {
			a.Resources[0], a.Resources[1] = a.Resources[1], a.Resources[0]
		}, equal: true, additive: true},
		"host name":           {now: func(a *mesos.AgentInfo) { a.Hostname = new("other") }},
		"port":                {now: func(a *mesos.AgentInfo) { a.Port = new(int32(6000)) }},
		"more cpus":           {now: func(a *mesos.AgentInfo) { a.Resources = parse("cpus:8;mem:1024;ports:[1-10];cpus(web):2") }, additive: true},
		"fewer cpus":          {now: func(a *mesos.AgentInfo) { a.Resources = parse("cpus:3;mem:1024;ports:[1-10];cpus(web):2") }},
		"a new resource":      {now: func(a *mesos.AgentInfo) { a.Resources = append(a.Resources, parse("gpus:1")...) }, additive: true},
		"more ports":          {now: func(a *mesos.AgentInfo) { a.Resources = parse("cpus:4;mem:1024;ports:[1-20];cpus(web):2") }, additive: true},
		"other ports":         {now: func(a *mesos.AgentInfo) { a.Resources = parse("cpus:4;mem:1024;ports:[2-20];cpus(web):2") }},
		"more reserved":       {now: func(a *mesos.AgentInfo) { a.Resources = parse("cpus:4;mem:1024;ports:[1-10];cpus(web):3") }, additive: true},
		"reservation is gone": {now: func(a *mesos.AgentInfo) { a.Resources = parse("cpus:6;mem:1024;ports:[1-10]") }},
		"a new attribute": {now: func(a *mesos.AgentInfo) {
			a.Attributes = append(a.Attributes, &mesos.Attribute{Name: new("os"), Type: mesos.Value_TEXT.Enum(), Text: &mesos.Value_Text{Value: new("x")}})
		}, additive: true},
		"an attribute changed": {now: func(a *mesos.AgentInfo) { a.Attributes[0] = rack("r2") }},
		"an attribute is gone": {now: func(a *mesos.AgentInfo) { a.Attributes = nil }},
		"a domain":             {now: func(a *mesos.AgentInfo) { a.Domain = domain("z") }, additive: true},
		"the domain changed":   {before: func(a *mesos.AgentInfo) { a.Domain = domain("z") }, now: func(a *mesos.AgentInfo) { a.Domain = domain("y") }},
		"the domain is gone":   {before: func(a *mesos.AgentInfo) { a.Domain = domain("z") }},
	} {
		t.Run(name, func(t *testing.T) {
			before, now := base(), base()
			if c.before != nil {
				c.before(before)
			}
			if c.now != nil {
				c.now(now)
			}
			for policy, want := range map[string]bool{"equal": c.equal, "additive": c.additive, "any": true} {
				if err := compatible(policy, before, now); (err == nil) != want {
					t.Errorf("%s: %v, want it allowed: %v", policy, err, want)
				}
			}
		})
	}
}
