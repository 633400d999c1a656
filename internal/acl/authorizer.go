package acl

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/mesos-operator/mesos-operator/api/mesos/acls"
	"github.com/mesos-operator/mesos-operator/internal/auth"
)

// maxCached bounds the principals whose approvers are kept. There are as many
// as credentials, or as accounts that asked in Kubernetes.
const maxCached = 1024

// Authorizer answers by the rules of --acls. A nil *Authorizer is what a daemon
// without the flag has: it allows everything. It may be used by any goroutine.
type Authorizer struct {
	current atomic.Pointer[policy]
}

// Replace has another's rules hold from now on. Grants that somebody holds already go
// by the old ones.
func (a *Authorizer) Replace(other *Authorizer) { a.current.Store(other.current.Load()) }

// policy is what one text of rules says.
type policy struct {
	permissive bool
	rules      [actionCount][]rule
	parents    [actionCount][]rule

	mu    sync.RWMutex
	known map[string]*Grants
}

// endpoints are the paths that get_endpoints may name, as in Mesos.
var endpoints = []string{
	"/containers", "/containerizer/debug", "/files/debug", "/logging/toggle", "/metrics/snapshot", "/monitor/statistics",
}

// New returns the authorizer of some lists. An error says what rule can't be
// meant.
func New(lists *acls.ACLs) (*Authorizer, error) {
	a := &policy{permissive: lists.GetPermissive(), known: map[string]*Grants{}}
	var errs []error
	for i := range actionCount {
		spec := &actions[i]
		a.rules[i] = rulesOf(lists, spec.list, spec.roles)
		if spec.parent != "" {
			a.parents[i] = rulesOf(lists, spec.parent, false)
		}
		for _, r := range a.rules[i] {
			errs = append(errs, checkRule(i, r))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	out := &Authorizer{}
	out.current.Store(a)
	return out, nil
}

func checkRule(a Action, r rule) error {
	if r.objects.kind != acls.ACL_Entity_SOME {
		return nil
	}
	if actions[a].whole {
		return fmt.Errorf("%s: the objects must be ANY or NONE", a)
	}
	if a != GetEndpoint {
		return nil
	}
	for _, path := range r.objects.values {
		if !slices.Contains(endpoints, path) {
			return fmt.Errorf("%s: %q is no path that can be authorized", a, path)
		}
	}
	return nil
}

// rulesOf reads a list. All entries have the same form: principals in field 1
// and objects in field 2.
func rulesOf(lists *acls.ACLs, name string, roles bool) []rule {
	m := lists.ProtoReflect()
	field := m.Descriptor().Fields().ByName(protoreflect.Name(name))
	if !m.Has(field) {
		return nil
	}
	entries := m.Get(field).List()
	rules := make([]rule, entries.Len())
	for i := range rules {
		entry := entries.Get(i).Message()
		of := func(number protoreflect.FieldNumber) *acls.ACL_Entity {
			return entry.Get(entry.Descriptor().Fields().ByNumber(number)).Message().Interface().(*acls.ACL_Entity)
		}
		rules[i] = rule{principals: of(1), objects: objectsOf(of(2), roles)}
	}
	return rules
}

// For returns what a principal is granted.
func (a *Authorizer) For(p auth.Principal) *Grants {
	if a == nil {
		return nil
	}
	return a.current.Load().grantsOf(p)
}

func (a *policy) grantsOf(p auth.Principal) *Grants {
	if len(p.Claims) > 0 { // tokens are as many as executors
		return a.grants(p)
	}
	a.mu.RLock()
	g := a.known[p.Name]
	a.mu.RUnlock()
	if g != nil {
		return g
	}
	g = a.grants(p)
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.known) >= maxCached {
		clear(a.known)
	}
	a.known[p.Name] = g
	return g
}

// ForName is For of a principal that has nothing but a name, "" for nobody.
func (a *Authorizer) ForName(name string) *Grants { return a.For(auth.Principal{Name: name}) }

// Grants are the approvers of one principal. Nil allows everything.
type Grants [actionCount]Approver

// To returns the approver of an action.
func (g *Grants) To(action Action) Approver {
	if g == nil {
		return Approver{}
	}
	return g[action]
}

// May is To(action).Allow(o).
func (g *Grants) May(action Action, o Object) bool { return g == nil || g[action].Allow(o) }

func (a *policy) grants(p auth.Principal) *Grants {
	g := &Grants{}
	for i := range actionCount {
		g[i] = a.approver(p, i)
	}
	return g
}

func (a *policy) approver(p auth.Principal, i Action) Approver {
	if p.Name == "" && len(p.Claims) > 0 {
		return ownApprover(p, i)
	}
	approver := a.byRules(a.rules[i], p.Name)
	if actions[i].parent == "" {
		return approver.simplified()
	}
	parent := a.byRules(a.parents[i], p.Name).simplified()
	if parent.Always() && approver.simplified().Always() {
		return parent
	}
	approver.parent = &parent
	return approver
}

func (a *policy) byRules(rules []rule, principal string) Approver {
	approver := Approver{kind: asksRules, strict: !a.permissive}
	for _, r := range rules {
		if s := judge(r.principals, principal); s != unfit {
			approver.rules = append(approver.rules, outcome{
				objects: r.objects, allow: s == allowed && r.objects.kind != acls.ACL_Entity_NONE,
			})
		}
	}
	return approver
}

// ownApprover is for the bearer of a token without a name: what is its own is
// all it may touch.
func ownApprover(p auth.Principal, i Action) Approver {
	claim, kind := "", refusesAll
	switch {
	case actions[i].executor:
		claim, kind = "cid", ownContainers
	case actions[i].provider:
		claim, kind = "cid_prefix", ownPrefix
	}
	own, ok := p.Claims[claim]
	if !ok {
		return Approver{kind: refusesAll}
	}
	return Approver{kind: kind, own: own}
}
