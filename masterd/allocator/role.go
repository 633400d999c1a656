package allocator

import (
	"strings"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/quota"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// role is one role of the tree. It exists while a framework, a reservation, a quota, a weight or a
// role below needs it.
type role struct {
	name     string
	parent   *role // nil for the root
	children int
	// node stands for the role with all below it, leaf for the role itself among its children, and
	// queue holds the frameworks.
	node, leaf, queue *node
	clients           map[FrameworkID]*client
	// reserved is the scalars that agents have reserved for the role or below, held or not.
	reserved vector
	// guarantees and limits are its quota. hasQuota is set when there is one.
	guarantees vector
	limits     []bound
	hasQuota   bool
	// metIn is the last cycle in which the guarantee was found to be met.
	metIn uint64
	// filters counts those of its frameworks.
	filters int
}

// bound is an upper limit of one resource.
type bound struct {
	id    int
	limit resources.Scalar
}

func newRole(name string, parent *role) *role {
	r := &role{name: name, parent: parent, clients: map[FrameworkID]*client{}}
	r.node, r.leaf, r.queue = newNode(name), newNode(name+"/."), newNode(name)
	r.leaf.role = r
	return r
}

// roleTree owns the roles.
type roleTree struct {
	root  *role
	roles map[string]*role
	// weights are those that were set, also for roles that don't exist.
	weights map[string]float64
	// withQuota are the roles that have one.
	withQuota map[*role]bool
}

func newRoleTree() *roleTree {
	return &roleTree{
		root: newRole("", nil), roles: map[string]*role{},
		weights: map[string]float64{}, withQuota: map[*role]bool{},
	}
}

// get finds or creates a role and those above it.
func (t *roleTree) get(name string) *role {
	if r, ok := t.roles[name]; ok {
		return r
	}
	parent := t.root
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		parent = t.get(name[:i])
	}
	r := newRole(name, parent)
	if w, ok := t.weights[name]; ok {
		r.node.weight = w
	}
	parent.children++
	t.roles[name] = r
	return r
}

// release forgets the role, and those above it, as far as nothing needs them.
func (t *roleTree) release(r *role) {
	for r != t.root && r.children == 0 && len(r.clients) == 0 && !r.hasQuota && !r.reserved.anyPositive() {
		delete(t.roles, r.name)
		r.parent.children--
		r = r.parent
	}
}

// join makes the role a competitor in the tree, leave ends that.
func (r *role) join() {
	r.node.insert(r.leaf)
	for ; r.parent != nil; r = r.parent {
		r.parent.node.insert(r.node)
	}
}

func (r *role) leave() {
	r.node.remove(r.leaf)
	for ; r.parent != nil && len(r.node.children) == 0; r = r.parent {
		r.parent.node.remove(r.node)
	}
}

// trackReserved adds or, with sign -1, removes what an agent has reserved.
func (t *roleTree) trackReserved(n *names, total resources.Resources, sign resources.Scalar) {
	for it := range total.All() {
		if !it.IsReserved() || it.Type() != mesos.Value_SCALAR {
			continue
		}
		holder := t.get(it.ReservedFor())
		for r := holder; r != nil; r = r.parent {
			r.reserved.add(n.id(it.Name()), sign*it.Scalar())
		}
		if sign < 0 {
			t.release(holder)
		}
	}
}

func (t *roleTree) setWeight(name string, weight float64) {
	if weight <= 0 {
		return
	}
	t.weights[name] = weight
	if weight == 1 {
		delete(t.weights, name)
	}
	if r, ok := t.roles[name]; ok {
		r.node.weight = weight
		r.parent.node.dirty = true
	}
}

func (t *roleTree) setQuota(n *names, q *quota.QuotaConfig) {
	r := t.get(q.GetRole())
	r.guarantees = n.vectorOf(q.GetGuarantees())
	r.limits = nil
	for name, s := range q.GetLimits() {
		r.limits = append(r.limits, bound{n.id(name), resources.ScalarOf(s.GetValue())})
	}
	r.hasQuota = r.guarantees.anyPositive() || len(r.limits) > 0
	if r.hasQuota {
		t.withQuota[r] = true
		return
	}
	delete(t.withQuota, r)
	t.release(r)
}

// consumed is what counts against the quota: all that is reserved, held or not, and what is held of
// the unreserved.
func (r *role) consumed(id int) resources.Scalar {
	return r.reserved.get(id) + r.node.unreserved.get(id)
}

// unmet is what is missing to the guarantee.
func (r *role) unmet(id int) resources.Scalar {
	return max(r.guarantees.get(id)-r.consumed(id), 0)
}

func (r *role) hasUnmet() bool {
	for id := range r.guarantees {
		if r.unmet(id) > 0 {
			return true
		}
	}
	return false
}

// guarantor is the nearest role with a guarantee, the role itself or one above; nil without.
func (r *role) guarantor() *role {
	for ; r != nil; r = r.parent {
		if r.hasQuota && len(r.guarantees) > 0 {
			return r
		}
	}
	return nil
}
