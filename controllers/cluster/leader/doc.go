// Package leader watches the leading masters of all clusters from outside.
//
// A Watch asks each of them in turn, on its own schedule and with time limits,
// and keeps the last answer; the cluster controller reads answers and never waits
// for a master, so that one that hangs holds up no other cluster. A change of an
// answer is announced as an event that wakes the controller.
//
// The package owns what it asks (two small v0 endpoints, whatever the size of the
// cluster) and how often. Only the cluster controller and the operator's main call it.
package leader
