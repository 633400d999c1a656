package libprocess

import "sync/atomic"

// Stats is what a node has done and holds, for its daemon's metrics.
type Stats struct {
	// Sent and Received count messages over the network. Sent ones were written
	// to a connection, which is no promise.
	Sent, Received uint64
	// Dropped counts messages that waited for a connection when it broke, or
	// were too many for it.
	Dropped uint64
	// Refused counts messages that reached no handler: not admitted, or for no
	// process of the node.
	Refused uint64
	// Peers are the addresses that the node is connected or connecting to.
	Peers int
	// Connections are incoming ones, with those of HTTP.
	Connections int
	// ReceivingBytes is the memory of messages that are being received or
	// handled.
	ReceivingBytes int64
}

// counters are the counts in Stats.
type counters struct{ sent, received, dropped, refused atomic.Uint64 }

// Stats returns the counts of this moment.
func (n *Node) Stats() Stats {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return Stats{
		Sent:           n.counters.sent.Load(),
		Received:       n.counters.received.Load(),
		Dropped:        n.counters.dropped.Load(),
		Refused:        n.counters.refused.Load(),
		Peers:          len(n.peers),
		Connections:    len(n.inbound),
		ReceivingBytes: n.receiving.Load(),
	}
}
