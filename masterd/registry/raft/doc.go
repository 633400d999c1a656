// Package raft keeps the registry in a raft group of the masters, by
// hashicorp/raft over TCP.
//
// A group of one needs no peers and bootstraps itself; a larger one starts from
// the same list of peers on every member. Each member keeps in its directory:
//
//	raft.db      log and votes (BoltDB), synced before anything is acknowledged
//	snapshots/   the registry at some point of the log, two of them
//
// An entry of the log is a batch of operations with the ID of the member that
// proposed it (entry.go); the state machine is the Registry message, so a
// snapshot is that message's bytes.
package raft
