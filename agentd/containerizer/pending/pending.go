// Package pending keeps a list of what a containerizer waits for at the moment, so that
// an operator can see what a container that doesn't start or end hangs in
// (/containerizer/debug). Who begins something of unknown duration puts it on the list;
// the HTTP API reads it. Any goroutine may.
package pending

import (
	"cmp"
	"maps"
	"slices"
	"sync"
)

// Operation is something that has begun and has not ended.
type Operation struct {
	// Name says what and of whom: "cgroups/mem::prepare".
	Name string
	// Args say of what, such as "containerId".
	Args map[string]string

	sequence uint64
}

// List is a set of operations. The nil List takes everything and holds nothing.
type List struct {
	mu         sync.Mutex
	last       uint64
	operations map[uint64]Operation
}

// New returns an empty List.
func New() *List { return &List{operations: map[uint64]Operation{}} }

// Begin puts an operation on the list; end takes it off.
func (l *List) Begin(name string, args map[string]string) (end func()) {
	if l == nil {
		return func() {}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last++
	n := l.last
	l.operations[n] = Operation{Name: name, Args: args, sequence: n}
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.operations, n)
	}
}

// All returns the operations, the longest under way first.
func (l *List) All() []Operation {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.SortedFunc(maps.Values(l.operations), func(a, b Operation) int {
		return cmp.Compare(a.sequence, b.sequence)
	})
}
