// Package failpoint names the moments at which a crash of the agent would hurt
// most: before and after each step that has to be found again. A binary built with
// the tag "failpoint" kills itself at one of them; in any other binary a point is
// nothing. The agent's code reaches points, the test of its recovery sets them.
package failpoint

// Point is such a moment.
type Point string

// Points of a batch of checkpoints.
const (
	// CheckpointBegins is when nothing of it is written.
	CheckpointBegins Point = "checkpoint/begins"
	// CheckpointWritten is when files are on the disk under other names.
	CheckpointWritten Point = "checkpoint/written"
	// CheckpointRenamed is when they have their names, for all that the disk knows
	// or doesn't know yet.
	CheckpointRenamed Point = "checkpoint/renamed"
	// CheckpointSynced is when they are there for good, and nobody was told.
	CheckpointSynced Point = "checkpoint/synced"
	// EffectsDone is when everybody was told.
	EffectsDone Point = "engine/effects-done"
)

// Points of a container.
const (
	// ContainerListed is when its entry and directory are there, empty.
	ContainerListed Point = "container/listed"
	// ContainerProvisioned is when its image is there, if it has one, and no cgroup.
	ContainerProvisioned Point = "container/provisioned"
	// ContainerIsolated is when its cgroup is there, and no process.
	ContainerIsolated Point = "container/isolated"
	// ContainerStaged is when its launch stage is on file and has not been told to go.
	ContainerStaged Point = "container/staged"
	// ContainerStarted is when its command runs and its process isn't on file.
	ContainerStarted Point = "container/started"
	// ContainerEnded is when its processes are gone and all else is there.
	ContainerEnded Point = "container/ended"
	// ContainerCleaned is when nothing is left and nobody was told.
	ContainerCleaned Point = "container/cleaned"
)

// Points of a container's connection to the bridge, which only those of type DOCKER have.
const (
	// BridgeLeased is when its address is on file, and nothing else is there.
	BridgeLeased Point = "bridge/leased"
	// BridgeMade is when the bridge is there that the first container needs, without a mark.
	BridgeMade Point = "bridge/made"
	// BridgePlugged is when its interface is there.
	BridgePlugged Point = "bridge/plugged"
	// BridgePublished is when its ports lead to it.
	BridgePublished Point = "bridge/published"
	// BridgeUnplugged is when all is gone but the file.
	BridgeUnplugged Point = "bridge/unplugged"
)

// Container are the points that every container passes, and Bridge those that one on the
// bridge passes beside them.
var (
	Container = []Point{
		ContainerListed, ContainerProvisioned, ContainerIsolated, ContainerStaged, ContainerStarted, ContainerEnded, ContainerCleaned,
	}
	Bridge = []Point{BridgeLeased, BridgeMade, BridgePlugged, BridgePublished, BridgeUnplugged}
)

// All are the points that every task meets, in that order.
var All = append([]Point{
	CheckpointBegins, CheckpointWritten, CheckpointRenamed, CheckpointSynced, EffectsDone,
}, Container...)

// Variable is the environment variable that sets a point: its name, "@", and how
// many times it is passed before the process dies there. No "MESOS_" begins it,
// which would make it a flag.
const Variable = "FAILPOINT"
