package state

// The values of Mesos's ID messages, as distinct types so that they can't be
// mixed up. All are opaque text.
type (
	// FrameworkID is "<master ID>-<4 digits>", or whatever a framework
	// brings along that subscribed with another master first.
	FrameworkID string
	// AgentID is "<master ID>-S<number>".
	AgentID string
	// OfferID is "<master ID>-O<number>".
	OfferID string
	// TaskID is chosen by a framework and unique among its live tasks.
	TaskID string
	// ExecutorID is chosen by a framework and unique on an agent.
	ExecutorID string
)

// TaskKey names a live task.
type TaskKey struct {
	Framework FrameworkID
	Task      TaskID
}

// ExecutorKey names a live executor.
type ExecutorKey struct {
	Agent     AgentID
	Framework FrameworkID
	Executor  ExecutorID
}

// PID is the text form of a libprocess PID, "slave(1)@10.0.0.7:5051", in the
// canonical spelling of libprocess.PID.String: the machine compares PIDs as
// text.
type PID string

// StreamID is the Mesos-Stream-Id of a v1 subscription: a UUID that the edge
// draws for each SUBSCRIBE.
type StreamID string

// ReplyID names an HTTP request that waits for its Reply. Zero means that
// nobody waits: messages of libprocess are not answered.
type ReplyID uint64

// Connection is how a framework is reached: over the event stream of a v1
// subscription, or as a native driver at a PID. The zero Connection reaches
// nobody. It is comparable.
type Connection struct {
	Stream StreamID
	PID    PID
}

// IsZero says whether the connection reaches nobody.
func (c Connection) IsZero() bool { return c == Connection{} }
