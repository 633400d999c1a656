package allocator

import (
	"cmp"
	"math"
	"slices"

	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// node is a place in the tree by which shares are compared: the inside of a role, a role as one of the
// claimants in its own subtree (leaf), or a framework in a role. Siblings compete.
type node struct {
	path   string
	parent *node
	// role is set for a leaf, client for a framework.
	role   *role
	client *client
	// bit is the client's in agent.ruledOut. A client that is to be asked again gets a new one.
	bit int

	// children are those that may get something, in order once arrange was called.
	children []*node
	// placed says that it is among the children of its parent.
	placed bool
	// dirty says that the order of the children, or their shares, must be computed anew; arranged is
	// the version of the totals for which it was done last.
	dirty    bool
	arranged uint64
	// moved says that the share has to be computed anew after the current agent.
	moved bool

	weight float64
	// count is how often something was given. It breaks ties, so that equals take turns.
	count uint64
	// share and turns are what the order goes by: held and count when they were looked at last.
	share float64
	turns uint64
	// ticket is what the order by lot goes by.
	ticket float64

	// held is what is held here and below, reserved and unreserved the parts of it that quota looks
	// at. Revocable resources are in held only.
	held, reserved, unreserved vector
	// copies counts shared volumes: they add to held once an agent, however many copies there are.
	copies map[copyKey]int
}

type copyKey struct {
	agent  AgentID
	volume string
}

func newNode(path string) *node { return &node{path: path, weight: 1} }

// compareNodes is the order of siblings: the smaller share first, then who was given to less often.
func compareNodes(a, b *node) int {
	if a.share != b.share {
		return cmp.Compare(a.share, b.share)
	}
	if a.turns != b.turns {
		return cmp.Compare(a.turns, b.turns)
	}
	return cmp.Compare(a.path, b.path)
}

func (n *node) insert(child *node) {
	if child.placed {
		return
	}
	child.parent, child.placed = n, true
	n.children = append(n.children, child)
	n.dirty = true
}

func (n *node) remove(child *node) {
	if child.placed {
		i := slices.Index(n.children, child)
		n.children = slices.Delete(n.children, i, i+1)
		child.placed = false
	}
}

// reposition moves a child among its sorted siblings to the place that assess gives it. Neither search
// looks at more than a few of them.
func (n *node) reposition(child *node, assess func(*node)) {
	from, _ := slices.BinarySearchFunc(n.children, child, compareNodes)
	assess(child)
	if rest := n.children[from+1:]; len(rest) > 0 && compareNodes(rest[0], child) < 0 {
		to, _ := slices.BinarySearchFunc(rest, child, compareNodes)
		copy(n.children[from:], rest[:to])
		n.children[from+to] = child
		return
	}
	to, _ := slices.BinarySearchFunc(n.children[:from], child, compareNodes)
	copy(n.children[to+1:from+1], n.children[to:from])
	n.children[to] = child
}

// sorter orders siblings.
type sorter struct {
	// total is what all agents have; excluded names don't count.
	total    vector
	excluded map[int]bool
	// version grows with every change of total.
	version uint64
	lots    lots
	moved   []*node
}

// arrange puts the children of n in order, by dominant share or by lot.
func (s *sorter) arrange(n *node, byLot bool) {
	if byLot {
		s.shuffle(n)
		return
	}
	if !n.dirty && n.arranged == s.version {
		return
	}
	for _, c := range n.children {
		s.assess(c)
	}
	slices.SortFunc(n.children, compareNodes)
	n.dirty, n.arranged = false, s.version
}

// shuffle draws an order in which a child's chance to be next is its weight: each gets an
// exponentially distributed ticket.
func (s *sorter) shuffle(n *node) {
	for _, c := range n.children {
		c.ticket = s.lots.exponential() / c.weight
	}
	slices.SortFunc(n.children, func(a, b *node) int { return cmp.Compare(a.ticket, b.ticket) })
	n.dirty = true
}

// assess takes a look at what decides the place of n.
func (s *sorter) assess(n *node) { n.share, n.turns = s.shareOf(n), n.count }

// shareOf is the largest part of anything that the node holds, divided by its weight.
func (s *sorter) shareOf(n *node) float64 {
	share := 0.0
	for id, total := range s.total {
		if total > 0 && !s.excluded[id] {
			share = math.Max(share, float64(n.held.get(id))/float64(total))
		}
	}
	return share / n.weight
}

// touch notes that what n holds changed. Its place is looked for in settle, so that the order in which
// one agent's resources are offered doesn't change under way.
func (s *sorter) touch(n *node) {
	if n.placed && !n.moved && !n.parent.dirty {
		n.moved = true
		s.moved = append(s.moved, n)
	}
}

// settle puts what was touched in its place. When much was, sorting anew is cheaper.
func (s *sorter) settle() {
	const few = 32
	for _, n := range s.moved {
		n.moved = false
		switch {
		case !n.placed || n.parent.dirty:
		case n.parent.arranged != s.version || len(s.moved) > few:
			n.parent.dirty = true
		default:
			n.parent.reposition(n, s.assess)
		}
	}
	s.moved = s.moved[:0]
}

// amounts is a change of what is held, with the parts that quota looks at.
type amounts struct{ held, reserved, unreserved vector }

func (n *node) apply(a *amounts, sign resources.Scalar) {
	for id, v := range a.held {
		n.held.add(id, sign*v)
	}
	for id, v := range a.reserved {
		n.reserved.add(id, sign*v)
	}
	for id, v := range a.unreserved {
		n.unreserved.add(id, sign*v)
	}
}

// countCopies counts copies of a shared volume and reports whether the first came or the last went.
func (n *node) countCopies(key copyKey, copies int) bool {
	before := n.copies[key]
	if n.copies == nil {
		n.copies = map[copyKey]int{}
	}
	n.copies[key] = before + copies
	if n.copies[key] <= 0 {
		delete(n.copies, key)
	}
	return (before > 0) != (before+copies > 0)
}
