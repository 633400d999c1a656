package allocator

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/quota"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
	"github.com/mesos-operator/mesos-operator/internal/resources"
	"github.com/mesos-operator/mesos-operator/masterd/allocator/constraint"
)

var rewrite = flag.Bool("rewrite", false, "write what the allocator does now into the transcripts")

// TestTranscripts plays testdata/*.txt: commands at the margin, what came of them below, indented.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := newPlayer(t).play(want)
			if *rewrite {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("run with -rewrite if this is right:\n%s", diff)
			}
		})
	}
}

// player performs the commands of a transcript. Each begins with a verb, then names, then options as
// key=value.
type player struct {
	t    *testing.T
	cfg  Config
	h    *Hierarchical
	now  time.Time
	last []Proposal
	out  bytes.Buffer

	agents     map[string]Agent
	frameworks map[string]Framework
}

func newPlayer(t *testing.T) *player {
	p := &player{t: t, cfg: DefaultConfig(), now: time.Unix(0, 0), agents: map[string]Agent{}, frameworks: map[string]Framework{}}
	p.cfg.MinAllocatable = nil
	p.restart()
	return p
}

func (p *player) restart() {
	h, err := New(p.cfg)
	if err != nil {
		p.t.Fatal(err)
	}
	p.h = h
}

func (p *player) play(text []byte) []byte {
	for s := bufio.NewScanner(bytes.NewReader(text)); s.Scan(); {
		line := s.Text()
		switch {
		case strings.HasPrefix(line, "    "):
			continue
		case line == "" || line[0] == '#':
			fmt.Fprintln(&p.out, line)
		default:
			fmt.Fprintln(&p.out, line)
			p.do(line)
		}
	}
	return p.out.Bytes()
}

func (p *player) say(format string, args ...any) { fmt.Fprintf(&p.out, "    "+format+"\n", args...) }

func (p *player) check(due bool, err error) {
	if err != nil {
		p.say("error: %v", err)
	} else if due {
		p.say("due")
	}
}

// words are a command's names and options.
type words struct {
	names   []string
	options map[string]string
}

func (w words) name(i int) string {
	if i < len(w.names) {
		return w.names[i]
	}
	return ""
}

func parseWords(line string) words {
	w := words{options: map[string]string{}}
	for _, f := range strings.Fields(line) {
		if k, v, ok := strings.Cut(f, "="); ok {
			w.options[k] = v
		} else {
			w.names = append(w.names, f)
		}
	}
	return w
}

func (p *player) do(line string) {
	w := parseWords(line)
	id, fw := AgentID(w.name(1)), FrameworkID(w.name(1))
	switch w.name(0) {
	case "config":
		p.configure(w)
	case "at":
		d, err := time.ParseDuration(w.name(1))
		p.must(err)
		p.now = time.Unix(0, 0).Add(d)
	case "start":
		n, err := strconv.Atoi(w.name(1))
		p.must(err)
		p.h.Start(n, p.quotas(w), nil, p.now)
	case "agent":
		p.agents[w.name(1)] = p.agent(w)
		p.check(p.h.AddAgent(p.agents[w.name(1)], p.held(w)))
	case "update-agent":
		p.agents[w.name(1)] = p.agent(w)
		p.check(p.h.UpdateAgent(p.agents[w.name(1)]))
	case "remove-agent":
		p.check(false, p.h.RemoveAgent(id))
	case "activate-agent":
		p.check(false, p.h.ActivateAgent(id))
	case "deactivate-agent":
		p.check(false, p.h.DeactivateAgent(id))
	case "whitelist":
		hosts := map[string]bool{}
		for _, h := range w.names[1:] {
			hosts[h] = true
		}
		p.h.Whitelist(hosts)
	case "framework":
		p.check(p.h.AddFramework(p.framework(w), p.held(w)))
	case "update-framework":
		p.check(p.h.UpdateFramework(p.framework(w)))
	case "remove-framework":
		p.check(false, p.h.RemoveFramework(fw))
	case "activate-framework":
		p.check(p.h.ActivateFramework(fw))
	case "deactivate-framework":
		p.check(false, p.h.DeactivateFramework(fw))
	case "suppress":
		p.check(false, p.h.Suppress(fw, w.names[2:]))
	case "revive":
		p.check(p.h.Revive(fw, w.names[2:]))
	case "track":
		p.check(false, p.h.Track(fw, AgentID(w.name(2)), p.resources(w.name(4), w).Allocate(w.name(3))))
	case "recover":
		r := p.resources(w.name(4), w).Allocate(w.name(3))
		p.check(false, p.h.Recover(fw, AgentID(w.name(2)), r, p.filters(w), p.now))
	case "decline":
		for _, x := range p.last {
			p.check(false, p.h.Recover(x.Framework, x.Agent, x.Resources.Allocate(x.Role), p.filters(w), p.now))
		}
		p.last = nil
	case "reserve":
		p.reserve(w)
	case "weight":
		weight, err := strconv.ParseFloat(w.name(2), 64)
		p.must(err)
		p.h.UpdateWeights([]*mesos.WeightInfo{{Role: new(w.name(1)), Weight: &weight}})
	case "quota":
		p.h.UpdateQuota(p.quotas(w))
	case "unavailable":
		p.check(p.h.UpdateUnavailability(id, &mesos.Unavailability{Start: &mesos.TimeInfo{Nanoseconds: new(int64(1))}}))
	case "available":
		p.check(p.h.UpdateUnavailability(id, nil))
	case "answer-inverse":
		p.check(false, p.h.UpdateInverseOffer(fw, AgentID(w.name(2)), p.filters(w), p.now))
	case "inverse":
		for _, x := range p.h.InverseOffers(p.now) {
			p.say("%s leaves %s", x.Framework, x.Agent)
		}
	case "allocate":
		p.allocate()
	case "stats":
		p.stats()
	default:
		p.t.Fatalf("unknown command: %s", line)
	}
}

func (p *player) must(err error) {
	if err != nil {
		p.t.Helper()
		p.t.Fatal(err)
	}
}

func (p *player) configure(w words) {
	for k, v := range w.options {
		var err error
		switch k {
		case "min":
			p.cfg.MinAllocatable, err = ParseMinAllocatable(v)
		case "excluded":
			p.cfg.FairSharingExcluded = strings.Split(v, ",")
		case "gpus":
			p.cfg.FilterGPUs = v == "filtered"
		case "region":
			p.cfg.Domain = domain(v)
		case "interval":
			p.cfg.Interval, err = time.ParseDuration(v)
		}
		p.must(err)
	}
	p.restart()
}

func domain(region string) *mesos.DomainInfo {
	return &mesos.DomainInfo{FaultDomain: &mesos.DomainInfo_FaultDomain{
		Region: &mesos.DomainInfo_FaultDomain_RegionInfo{Name: &region},
		Zone:   &mesos.DomainInfo_FaultDomain_ZoneInfo{Name: new("z")},
	}}
}

// resources reads text, and options for what text can't say: rev=cpus:1, volume=id:mb, shared=id:mb,
// mount=mb.
func (p *player) resources(text string, w words) resources.Resources {
	r, err := resources.Parse(text, "*")
	p.must(err)
	if rev := w.options["rev"]; rev != "" {
		for _, x := range resources.MustParse(rev).Proto() {
			x.Revocable = &mesos.Resource_RevocableInfo{}
			r = r.Add(resources.Of(x))
		}
	}
	if mb := w.options["mount"]; mb != "" {
		x := resources.MustParse("disk:" + mb).Proto()[0]
		x.Disk = &mesos.Resource_DiskInfo{Source: &mesos.Resource_DiskInfo_Source{
			Type:  mesos.Resource_DiskInfo_Source_MOUNT.Enum(),
			Mount: &mesos.Resource_DiskInfo_Source_Mount{Root: new("/mnt")},
		}}
		r = r.Add(resources.Of(x))
	}
	for option, isShared := range map[string]bool{"volume": false, "shared": true} {
		id, mb, ok := strings.Cut(w.options[option], ":")
		if !ok {
			continue
		}
		x := resources.MustParse("disk:" + mb).Proto()[0]
		x.Disk = &mesos.Resource_DiskInfo{Persistence: &mesos.Resource_DiskInfo_Persistence{Id: &id}}
		if isShared {
			x.Shared = &mesos.Resource_SharedInfo{}
		}
		r = r.Add(resources.Of(x))
	}
	return r
}

func (p *player) agent(w words) Agent {
	info := &mesos.AgentInfo{Id: &mesos.AgentID{Value: new(w.name(1))}, Hostname: new(w.name(1))}
	if region := w.options["region"]; region != "" {
		info.Domain = domain(region)
	}
	attributes, err := resources.ParseAttributes(w.options["attributes"])
	p.must(err)
	info.Attributes = attributes
	a := Agent{Info: info, Total: p.resources(w.name(2), w)}
	if w.options["caps"] != "none" {
		a.Capabilities = []mesos.AgentInfo_Capability_Type{
			mesos.AgentInfo_Capability_MULTI_ROLE, mesos.AgentInfo_Capability_HIERARCHICAL_ROLE,
		}
	}
	return a
}

func (p *player) framework(w words) Framework {
	info := &mesos.FrameworkInfo{Id: &mesos.FrameworkID{Value: new(w.name(1))}, OfferFilters: map[string]*mesos.OfferFilters{}}
	caps := "MULTI_ROLE,RESERVATION_REFINEMENT"
	if c, ok := w.options["caps"]; ok {
		caps = c
	}
	for name := range strings.SplitSeq(caps, ",") {
		if name == "" {
			continue
		}
		typ, ok := mesos.FrameworkInfo_Capability_Type_value[name]
		if !ok {
			p.t.Fatalf("no capability %s", name)
		}
		info.Capabilities = append(info.Capabilities, &mesos.FrameworkInfo_Capability{
			Type: mesos.FrameworkInfo_Capability_Type(typ).Enum(),
		})
	}
	names := strings.Split(w.name(2), ",")
	info.Roles = names
	if !strings.Contains(caps, "MULTI_ROLE") {
		info.Roles, info.Role = nil, &names[0]
	}
	if m, ok := w.options["min"]; ok {
		info.OfferFilters[names[0]] = offerFilters(p, m)
	}
	f := Framework{Info: info, Active: w.options["active"] != "no"}
	if rack, ok := w.options["rack"]; ok {
		f.Constraints = onRack(p, names[0], rack)
	}
	if s := w.options["suppressed"]; s != "" {
		f.Suppressed = strings.Split(s, ",")
	}
	return f
}

func offerFilters(p *player, text string) *mesos.OfferFilters {
	min, err := ParseMinAllocatable(text)
	p.must(err)
	m := &mesos.OfferFilters_MinAllocatableResources{}
	for _, q := range min {
		values := map[string]*mesos.Value_Scalar{}
		for _, x := range q {
			values[x.Name] = &mesos.Value_Scalar{Value: new(x.Value.Float())}
		}
		m.Quantities = append(m.Quantities, &mesos.OfferFilters_ResourceQuantities{Quantities: values})
	}
	return &mesos.OfferFilters{MinAllocatableResources: m}
}

// onRack constrains a role to agents whose attribute rack has the value.
func onRack(p *player, role, rack string) *constraint.Set {
	c := &scheduler.AttributeConstraint{
		Selector: &scheduler.AttributeConstraint_Selector{
			Selector: &scheduler.AttributeConstraint_Selector_AttributeName{AttributeName: "rack"},
		},
		Predicate: &scheduler.AttributeConstraint_Predicate{
			Predicate: &scheduler.AttributeConstraint_Predicate_TextEquals_{
				TextEquals: &scheduler.AttributeConstraint_Predicate_TextEquals{Value: &rack},
			},
		},
	}
	set, err := constraint.Compile(&scheduler.OfferConstraints{
		RoleConstraints: map[string]*scheduler.OfferConstraints_RoleConstraints{role: {
			Groups: []*scheduler.OfferConstraints_RoleConstraints_Group{{AttributeConstraints: []*scheduler.AttributeConstraint{c}}},
		}},
	}, constraint.DefaultLimits)
	p.must(err)
	return set
}

// held reads held=<framework or agent>/<role>/<resources>.
func (p *player) held(w words) []Held {
	text := w.options["held"]
	if text == "" {
		return nil
	}
	parts := strings.SplitN(text, "/", 3)
	r := resources.MustParse(parts[2]).Allocate(parts[1])
	return []Held{{Framework: FrameworkID(parts[0]), Agent: AgentID(parts[0]), Resources: r}}
}

func (p *player) filters(w words) *mesos.Filters {
	text, ok := w.options["refuse"]
	if !ok {
		return nil
	}
	if text == "default" {
		return &mesos.Filters{}
	}
	s, err := strconv.ParseFloat(text, 64)
	p.must(err)
	return &mesos.Filters{RefuseSeconds: &s}
}

// quotas reads a role with guarantee= and limit=.
func (p *player) quotas(w words) []*quota.QuotaConfig {
	role := w.name(1)
	if w.names[0] == "start" {
		role = w.name(2)
	}
	if role == "" {
		return nil
	}
	values := func(text string) map[string]*mesos.Value_Scalar {
		out := map[string]*mesos.Value_Scalar{}
		for part := range strings.SplitSeq(text, ";") {
			name, amount, ok := strings.Cut(part, ":")
			if !ok {
				continue
			}
			v, err := strconv.ParseFloat(amount, 64)
			p.must(err)
			out[name] = &mesos.Value_Scalar{Value: &v}
		}
		return out
	}
	return []*quota.QuotaConfig{{Role: &role, Guarantees: values(w.options["guarantee"]), Limits: values(w.options["limit"])}}
}

// reserve <agent> <role> <resources> [by=<framework>]: the operator, or a framework, reserves.
func (p *player) reserve(w words) {
	free := resources.MustParse(w.name(3))
	reservation := &mesos.Resource_ReservationInfo{Type: mesos.Resource_ReservationInfo_DYNAMIC.Enum(), Role: new(w.name(2))}
	by := w.options["by"]
	if by != "" {
		free = free.Allocate(w.name(2))
	}
	reserved, err := free.PushReservation(reservation)
	p.must(err)
	conversions := []resources.Conversion{{Consumed: free, Converted: reserved}}
	if by == "" {
		p.check(false, p.h.UpdateAvailable(AgentID(w.name(1)), conversions))
		return
	}
	p.check(false, p.h.UpdateAllocation(FrameworkID(by), AgentID(w.name(1)), free, conversions))
}

func (p *player) allocate() {
	p.last = p.h.Allocate(p.now)
	var lines []string
	for _, x := range p.last {
		lines = append(lines, fmt.Sprintf("%s gets of %s for %s: %s", x.Framework, x.Agent, x.Role, x.Resources))
	}
	slices.Sort(lines)
	for _, line := range lines {
		p.say("%s", line)
	}
	if len(lines) == 0 {
		p.say("nothing")
	}
}

func (p *player) stats() {
	s := p.h.Stats()
	p.say("total %s, held %s", s.Total, s.Held)
	for _, r := range s.Roles {
		if r.HasFrameworks {
			p.say("%s: share %.3f, filters %d", r.Role, r.DominantShare, r.ActiveFilters)
		} else {
			p.say("%s: no frameworks", r.Role)
		}
		if r.HasQuota {
			p.say("    guarantee %s, held %s, consumed %s", r.Guarantee, r.Held, r.Consumed)
		}
	}
}
