package state

import (
	"math"
	"strings"
	"testing"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
)

// TestFrameworkValidation breaks one rule after another of a valid
// FrameworkInfo. Each case is told with an ERROR event whose message contains
// the given words.
func TestFrameworkValidation(t *testing.T) {
	multiRole := []*mesos.FrameworkInfo_Capability{{Type: mesos.FrameworkInfo_Capability_MULTI_ROLE.Enum()}}
	roles := func(list ...string) func(*mesos.FrameworkInfo) {
		return func(i *mesos.FrameworkInfo) { i.Capabilities, i.Roles = multiRole, list }
	}
	role := func(r string) func(*mesos.FrameworkInfo) { return func(i *mesos.FrameworkInfo) { i.Role = &r } }
	tests := map[string]struct {
		change func(*mesos.FrameworkInfo)
		want   string
	}{
		"valid":                        {func(*mesos.FrameworkInfo) {}, ""},
		"no roles at all":              {roles(), ""},
		"several roles":                {roles("a", "b/c"), ""},
		"roles without the capability": {func(i *mesos.FrameworkInfo) { i.Roles = []string{"a"} }, "MULTI_ROLE"},
		"role with the capability":     {func(i *mesos.FrameworkInfo) { i.Capabilities, i.Role = multiRole, new("a") }, "MULTI_ROLE"},
		"a role twice":                 {roles("a", "b", "a"), "twice"},
		"a bad role among others":      {roles("a", "b//c"), "b//c"},
		"empty role":                   {role(""), "role"},
		"role that begins with slash":  {role("/a"), "/a"},
		"role that ends with slash":    {role("a/"), "a/"},
		"role with dots":               {role("a/.."), ".."},
		"role with a star":             {role("a/*"), "*"},
		"role that begins with dash":   {role("-a"), "-a"},
		"role with a space":            {role("a b"), "a b"},
		"framework ID with a slash":    {func(i *mesos.FrameworkInfo) { i.Id = &mesos.FrameworkID{Value: new("a/b")} }, "framework ID"},
		"no failover timeout at all":   {func(i *mesos.FrameworkInfo) { i.FailoverTimeout = new(math.NaN()) }, "failover_timeout"},
		"failover timeout of eons":     {func(i *mesos.FrameworkInfo) { i.FailoverTimeout = new(1e12) }, "failover_timeout"},
		"filter without quantities": {func(i *mesos.FrameworkInfo) {
			i.OfferFilters = map[string]*mesos.OfferFilters{"*": {MinAllocatableResources: &mesos.OfferFilters_MinAllocatableResources{
				Quantities: []*mesos.OfferFilters_ResourceQuantities{{}}}}}
		}, "quantities"},
		"filter with a negative quantity": {func(i *mesos.FrameworkInfo) {
			i.OfferFilters = map[string]*mesos.OfferFilters{"*": {MinAllocatableResources: &mesos.OfferFilters_MinAllocatableResources{
				Quantities: []*mesos.OfferFilters_ResourceQuantities{{Quantities: limitOf("cpus", -1)}}}}}
		}, "'cpus'"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, testConfig())
			info := &mesos.FrameworkInfo{User: new("u"), Name: new("n")}
			test.change(info)
			effects := r.do(SchedulerCall{Reply: 1, Stream: "s", Call: &scheduler.Call{
				Type: scheduler.Call_SUBSCRIBE.Enum(), FrameworkId: info.Id,
				Subscribe: &scheduler.Call_Subscribe{FrameworkInfo: info},
			}})
			if len(find[OpenStream](effects)) != 1 {
				t.Fatalf("a SUBSCRIBE that is well-formed opens a stream: %v", effects)
			}
			first := find[SendEvent](effects)[0].Event
			if test.want == "" {
				if first.GetType() != scheduler.Event_SUBSCRIBED {
					t.Errorf("refused: %v", first)
				}
				return
			}
			if first.GetType() != scheduler.Event_ERROR || !strings.Contains(first.GetError().GetMessage(), test.want) {
				t.Errorf("got %v, want an error about %q", first, test.want)
			}
			if len(find[CloseStream](effects)) != 1 || len(r.m.frameworks) != 0 {
				t.Errorf("a refused framework stays: %v", effects)
			}
		})
	}
}

// TestCallValidation sends calls without the part that their type needs.
func TestCallValidation(t *testing.T) {
	r := newRig(t, testConfig())
	f := r.subscribe("s", "web")
	for kind := range scheduler.Call_Type_name {
		call := scheduler.Call_Type(kind)
		name, part := payload(&scheduler.Call{Type: &call})
		if part == nil {
			continue
		}
		t.Run(call.String(), func(t *testing.T) {
			got := find[Reply](r.call(f, &scheduler.Call{Type: &call}))
			if len(got) != 1 || got[0].Status != 400 || !strings.Contains(got[0].Text, name) {
				t.Errorf("got %v, want a 400 about %s", got, name)
			}
		})
	}
}

// TestAgentValidation: an agent that breaks a rule is not answered, and is not
// in the registry.
func TestAgentValidation(t *testing.T) {
	domain := &mesos.DomainInfo{}
	tests := map[string]struct {
		config func(*Config)
		change func(*messages.RegisterSlaveMessage)
		admit  bool
	}{
		"valid":                        {nil, func(*messages.RegisterSlaveMessage) {}, true},
		"a candidate version":          {nil, func(m *messages.RegisterSlaveMessage) { m.Version = new("1.9.0-rc1+x") }, true},
		"no version":                   {nil, func(m *messages.RegisterSlaveMessage) { m.Version = nil }, false},
		"not a version":                {nil, func(m *messages.RegisterSlaveMessage) { m.Version = new("1.x") }, false},
		"too old":                      {nil, func(m *messages.RegisterSlaveMessage) { m.Version = new("0.28.2") }, false},
		"bad resources":                {nil, func(m *messages.RegisterSlaveMessage) { m.Slave.Resources[0].Scalar = nil }, false},
		"domain without the master's":  {nil, func(m *messages.RegisterSlaveMessage) { m.Slave.Domain = domain }, false},
		"domain with the master's":     {func(c *Config) { c.Master.Domain = domain }, func(m *messages.RegisterSlaveMessage) { m.Slave.Domain = domain }, true},
		"no domain though it is asked": {func(c *Config) { c.RequireAgentDomain = true }, func(*messages.RegisterSlaveMessage) {}, false},
		"not authenticated":            {func(c *Config) { c.AuthenticateAgents = true }, func(*messages.RegisterSlaveMessage) {}, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			cfg := testConfig()
			if test.config != nil {
				test.config(&cfg)
			}
			r := newRig(t, cfg)
			msg := &messages.RegisterSlaveMessage{
				Slave: &mesos.AgentInfo{Hostname: new("h"), Resources: wire("cpus:1")}, Version: new("1.11.0"),
			}
			test.change(msg)
			effects := r.do(PeerMessage{From: agentPID(0), Message: msg})
			if got := len(r.reg.GetSlaves().GetSlaves()) == 1; got != test.admit {
				t.Errorf("admitted: %t", got)
			}
			if got := len(find[SendMessage](effects)) > 0; got != test.admit {
				t.Errorf("answered: %t", got)
			}
		})
	}
}
