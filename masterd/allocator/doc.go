// Package allocator decides which framework is offered which free resources of which agent.
//
// [Allocator] is the contract. [Hierarchical] implements it as Mesos's built-in allocator does: roles
// form a tree, siblings share by weighted dominant resource fairness, and within a role frameworks do.
// Reservations go to the role that holds them or one below, quota guarantees are kept free, quota
// limits are not exceeded, refused resources are not offered again for a while.
//
// The package is pure: time is an argument, the seed of its shuffling is configuration, and nothing
// is logged. Like the state machine it belongs to one goroutine.
//
// # A cycle
//
// Allocate goes through these steps, in cycle.go:
//
//  1. Expire the filters whose time has come.
//  2. Snapshot: what guarantees still need, and how much is free for everything else.
//  3. Nominate the agents that may have something for someone: those where something changed.
//  4. For each agent, first for roles whose guarantees are not met, then for all:
//     order roles, and frameworks within a role, by share;
//     offer to each in turn what it may have and does not refuse.
//
// An agent that was gone through has nothing left that anybody would take, so it is not looked at
// again until something changes: resources come back, a filter expires, a framework wakes up, quota
// is freed. That makes an idle cycle cost nothing, however large the cluster.
//
// # Why a client is skipped
//
// A client is a framework in a role. Each agent remembers, one bit per client, which clients could
// not use what the agent had when they were asked ("ruled out"). The bits stay true while the agent
// has no more than it had then, and are dropped when it has. With ten thousand agents and a thousand
// frameworks that decline everything, this is what a cycle spends its time on.
package allocator
