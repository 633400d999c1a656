// Package resources is the algebra of what agents have and frameworks use: cpus, memory, disks,
// ports and whatever else an agent names, with their reservations, volumes and allocations.
//
// [Resources] is an immutable value. Take it from wire messages with [New] (checked) or [Of]
// (lenient), calculate, and go back with [Resources.Proto]. Scalars are exact to a thousandth
// ([Scalar]), as in Mesos.
//
// In memory every resource is in one form, that with a stack of reservations (field reservations).
// The older form (fields role and reservation), which clients without the RESERVATION_REFINEMENT
// capability speak, exists at the edges only: see [Upgrade], [Downgrade] and [Endpoint].
//
// The package is pure: no I/O, clock, goroutine or randomness. The allocator, the state machines of
// master and agent, and their HTTP edges may call it from any goroutine.
//
// # What can be added
//
// Two resources are of one kind, and then are kept as one item, when name, type, reservations,
// allocation, disk source, revocability and resource provider are equal. Persistent volumes and
// disks that are handed out only as a whole (MOUNT, BLOCK, and RAW with an ID) never merge. Shared
// volumes merge by counting copies.
package resources
