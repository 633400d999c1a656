package libprocess

import (
	"strconv"
	"sync"

	"github.com/google/uuid"
)

// serials counts the processes of a name.
type serials struct {
	mu   sync.Mutex
	last map[string]int
}

// NumberedID returns name(1), name(2), … in turn: the IDs of processes of which
// a node may have several. An agent is "slave(1)" to its peers and its HTTP
// clients.
func (n *Node) NumberedID(name string) string {
	n.serials.mu.Lock()
	defer n.serials.mu.Unlock()
	if n.serials.last == nil {
		n.serials.last = map[string]int{}
	}
	n.serials.last[name]++
	return name + "(" + strconv.Itoa(n.serials.last[name]) + ")"
}

// UniqueID returns name-<random UUID>: the IDs of scheduler drivers, which must
// differ between runs of one framework at one address.
func UniqueID(name string) string { return name + "-" + uuid.NewString() }
