package acl

import (
	"slices"
	"strings"

	"github.com/mesos-operator/mesos-operator/api/mesos/acls"
)

// rule is one entry of a list.
type rule struct {
	principals *acls.ACL_Entity
	objects    objects
}

// objects is what a rule is about.
type objects struct {
	kind   acls.ACL_Entity_Type
	values []string
	below  []string // prefixes "a/" of the roles that "a/%" stands for
}

// belowMark ends the name of a role whose descendants are meant.
const belowMark = "/%"

func objectsOf(e *acls.ACL_Entity, roles bool) objects {
	o := objects{kind: e.GetType()}
	for _, v := range e.GetValues() {
		if prefix, ok := strings.CutSuffix(v, belowMark); ok && roles && o.kind == acls.ACL_Entity_SOME {
			o.below = append(o.below, prefix+"/")
		} else {
			o.values = append(o.values, v)
		}
	}
	return o
}

// fits says whether the rule is about an object at all.
func (o *objects) fits(object Object) bool {
	switch {
	case o.kind != acls.ACL_Entity_SOME:
		return true
	case !object.named:
		return false
	case slices.Contains(o.values, object.name):
		return true
	}
	return slices.ContainsFunc(o.below, func(prefix string) bool { return strings.HasPrefix(object.name, prefix) })
}

// subject is the outcome of a rule's principals for one principal.
type subject int

const (
	unfit subject = iota
	refused
	allowed
)

// judge compares a principal, "" for nobody, with a rule's.
func judge(e *acls.ACL_Entity, principal string) subject {
	switch e.GetType() {
	case acls.ACL_Entity_ANY:
		return allowed
	case acls.ACL_Entity_NONE:
		return refused
	}
	if principal != "" && slices.Contains(e.GetValues(), principal) {
		return allowed
	}
	return unfit
}
