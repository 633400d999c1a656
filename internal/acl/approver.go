package acl

import (
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/mesos-operator/mesos-operator/api/mesos/acls"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// Approver decides about one action of one principal. The zero Approver allows
// everything. It is immutable, and cheap to copy and to ask.
type Approver struct {
	kind   approverKind
	rules  []outcome
	parent *Approver // must allow it as well; see NestedLaunch
	strict bool      // what no rule fits is refused
	own    string    // container, or prefix of containers, of a token's bearer
}

type approverKind uint8

const (
	allowsAll approverKind = iota
	refusesAll
	asksRules
	ownContainers // those below the one named own
	ownPrefix     // those whose name begins with own
)

// outcome is a rule that concerns the principal.
type outcome struct {
	objects objects
	allow   bool // what it says of the objects that it fits
}

// Allow decides about an object.
func (a Approver) Allow(o Object) bool {
	switch a.kind {
	case allowsAll:
		return true
	case asksRules:
		return a.byRules(o)
	case ownContainers:
		return o.container != nil && proto.Equal(rootOf(o.container), &mesos.ContainerID{Value: &a.own})
	case ownPrefix:
		return o.container != nil && strings.HasPrefix(o.container.GetValue(), a.own)
	}
	return false
}

// Always says that Allow is true for every object, so that nobody need ask.
func (a Approver) Always() bool { return a.kind == allowsAll }

// Never says that Allow is false for every object.
func (a Approver) Never() bool { return a.kind == refusesAll }

func (a Approver) byRules(o Object) bool {
	if a.parent != nil {
		if o.parent == nil {
			return a.parent.Allow(o) // no command: only the parent counts
		}
		if !a.parent.Allow(*o.parent) {
			return false
		}
	}
	for i := range a.rules {
		if r := &a.rules[i]; r.objects.fits(o) {
			return r.allow
		}
	}
	return !a.strict
}

// AllowEach decides about several objects, all of which must be allowed. If
// there is none to ask about it is the default that decides.
func (a Approver) AllowEach(os []Object) bool {
	if len(os) == 0 {
		return !a.strict
	}
	for _, o := range os {
		if !a.Allow(o) {
			return false
		}
	}
	return true
}

// simplified turns an approver whose answer can't vary into one that needs no
// look at its rules.
func (a Approver) simplified() Approver {
	otherwise := !a.strict
	for i, r := range a.rules {
		if r.objects.kind != acls.ACL_Entity_SOME { // fits everything: what follows doesn't count
			a.rules, otherwise = a.rules[:i+1], r.allow
			break
		}
	}
	for _, r := range a.rules {
		if r.allow != otherwise {
			return a
		}
	}
	kind := refusesAll
	if otherwise {
		kind = allowsAll
	}
	return Approver{kind: kind, strict: a.strict}
}
