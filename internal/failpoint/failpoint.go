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

// All are the points, in the order in which a task meets them.
var All = []Point{
	CheckpointBegins, CheckpointWritten, CheckpointRenamed, CheckpointSynced, EffectsDone,
	ContainerListed, ContainerProvisioned, ContainerIsolated, ContainerStaged, ContainerStarted, ContainerEnded, ContainerCleaned,
}

// Variable is the environment variable that sets a point: its name, "@", and how
// many times it is passed before the process dies there. No "MESOS_" begins it,
// which would make it a flag.
const Variable = "FAILPOINT"
