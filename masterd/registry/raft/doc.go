// Package raft keeps the registry in a raft group of the masters, by
// hashicorp/raft over TCP.
//
// A group of one needs no peers, no address and no port, and bootstraps itself.
// A larger one has the same list of peers on every member: the first of the list
// begins the group alone, which may be one that lived alone before, and adds the
// others. Each member keeps in its directory:
//
//	raft.db      log and votes (BoltDB), synced before anything is acknowledged
//	snapshots/   the registry at some point of the log, two of them
//
// An entry of the log is a batch of operations with the ID of the member that
// proposed it (entry.go); the state machine is the Registry message, so a
// snapshot is that message's bytes.
package raft
