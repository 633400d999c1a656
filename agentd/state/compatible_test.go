package state

import (
	"testing"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// TestAdditive: each kind of value may grow in its own way under --reconfiguration_policy=additive.
func TestAdditive(t *testing.T) {
	mount := func(size float64) []*mesos.Resource {
		r := resources.MustParse("disk:1").Proto()[0]
		r.Scalar.Value = &size
		r.Disk = &mesos.Resource_DiskInfo{Source: &mesos.Resource_DiskInfo_Source{
			Type: mesos.Resource_DiskInfo_Source_MOUNT.Enum(), Mount: &mesos.Resource_DiskInfo_Source_Mount{Root: new("/disks/a")},
		}}
		return []*mesos.Resource{r}
	}
	res := func(text string) *mesos.AgentInfo {
		return &mesos.AgentInfo{Hostname: new("h"), Resources: resources.MustParse(text).Proto()}
	}
	att := func(text string) *mesos.AgentInfo {
		attributes, err := resources.ParseAttributes(text)
		if err != nil {
			t.Fatal(err)
		}
		return &mesos.AgentInfo{Hostname: new("h"), Attributes: attributes}
	}
	set := func(items ...string) *mesos.AgentInfo {
		return &mesos.AgentInfo{Hostname: new("h"), Attributes: []*mesos.Attribute{
			{Name: new("set"), Type: mesos.Value_SET.Enum(), Set: &mesos.Value_Set{Item: items}},
		}}
	}
	disks := func(rs ...*mesos.Resource) *mesos.AgentInfo {
		return &mesos.AgentInfo{Hostname: new("h"), Resources: append(resources.MustParse("disk:100").Proto(), rs...)}
	}
	for name, c := range map[string]struct {
		small, large *mesos.AgentInfo
		// shrinks says that the way back is allowed too.
		shrinks bool
		// denied says that not even the way from small to large is.
		denied bool
	}{
		"another resource":              {small: res("cpus:50"), large: res("cpus:50;mem:100")},
		"another type of resource":      {small: res("cpus:50"), large: res("cpus:[100-200]"), denied: true},
		"scalar":                        {small: res("cpus:50"), large: res("cpus:100")},
		"scalar by a thousandth":        {small: res("cpus:50"), large: res("cpus:50.001")},
		"scalar by less":                {small: res("cpus:50"), large: res("cpus:50.0001"), shrinks: true},
		"scalar in pieces":              {small: res("cpus:50"), large: res("cpus:30;cpus:30")},
		"ranges":                        {small: res("r:[100-200]"), large: res("r:[100-300]")},
		"ranges that touch":             {small: res("r:[100-200]"), large: res("r:[100-150,151-200]"), shrinks: true},
		"ranges with a hole":            {small: res("r:[100-120,140-200]"), large: res("r:[100-200]")},
		"ranges moved":                  {small: res("r:[100-200]"), large: res("r:[101-300]"), denied: true},
		"set":                           {small: res("s:{a}"), large: res("s:{b,a}")},
		"set of other elements":         {small: res("s:{a}"), large: res("s:{b,c}"), denied: true},
		"set out of nothing":            {small: res("s:{}"), large: res("s:{a,b}")},
		"reservations of two roles":     {small: res("foo(A):10;foo(B):20"), large: res("foo(A):20;foo(B):30")},
		"one role at another's cost":    {small: res("foo(A):10;foo(B):20"), large: res("foo(A):5;foo(B):50"), denied: true},
		"a mount disk":                  {small: disks(), large: disks(mount(50)...)},
		"a larger mount disk":           {small: disks(mount(50)...), large: disks(mount(60)...)},
		"the same mount disk":           {small: disks(mount(50)...), large: disks(mount(50)...), shrinks: true},
		"another attribute":             {small: att("os:a"), large: att("os:a;dc:x")},
		"another type of attribute":     {small: att("os:a"), large: att("os:4"), denied: true},
		"text attribute":                {small: att("os:a"), large: att("os:b"), denied: true},
		"scalar attribute":              {small: att("rack:1"), large: att("rack:2"), denied: true},
		"ranges attribute":              {small: att("r:[100-200]"), large: att("r:[100-300]")},
		"ranges attribute moved":        {small: att("r:[100-200]"), large: att("r:[150-300]"), denied: true},
		"set attribute":                 {small: set("a"), large: set("a", "b")},
		"set attribute of other values": {small: set("a"), large: set("b", "c"), denied: true},
		"a name twice, the first counts": {
			small: att("os:a"), large: att("os:b;os:a"), denied: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if err := compatible("additive", c.small, c.large); (err == nil) == c.denied {
				t.Errorf("there: %v, want it denied: %v", err, c.denied)
			}
			if err := compatible("additive", c.large, c.small); !c.denied && (err == nil) != c.shrinks {
				t.Errorf("and back: %v, want it allowed: %v", err, c.shrinks)
			}
		})
	}
}

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
