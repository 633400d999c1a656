// Package sim runs masters, agents and frameworks against each other in one
// goroutine, on a clock of its own and over a network that loses connections,
// delays, and cuts nodes off. Everything that happens follows from a seed, so a
// run that breaks a promise is run again by its seed.
//
// The master and the agents are the real machines of masterd/state and
// agentd/state, the allocator is the real one behind the engine's bridge, and
// what one node sends to another is encoded and decoded on its way. The rest is
// modelled: disks (durable at once, or slow), containers with executors in
// them, and frameworks of several shapes (HTTP and native drivers, partition-aware
// or not, with roles in a tree, with short failover timeouts) that accept,
// decline, reserve, make volumes (shared ones too), resize and destroy them, kill,
// reconcile, suppress and revive, leave roles, forget to
// acknowledge, stall, repeat themselves, crash and come back. In half of the
// runs an operator changes weights and quotas, schedules maintenance, takes
// machines down, and drains and deactivates agents.
//
// # What is promised
//
// After every step of the master: what agents have is never offered or used
// twice, and master and allocator agree who is there. Every proposal of the
// allocator is in the order of dominant shares, and none takes a role above its
// quota limit. Nothing is offered of agents that are deactivated, draining or on
// machines that are down, and offers tell of scheduled maintenance. Every task that a leader sent to
// an agent is believed to live or to be out of reach, or there is a record of its
// end. At every update that a
// framework gets: a task ends in one terminal state, and after it there is no
// other; and so does an operation. Whatever is reserved or made a volume, an agent
// has as much as it began with. After the faults stop and time has passed: every update was
// acknowledged, every task ended and its framework knows, no volume is lost that
// nobody destroyed, nothing is in use,
// and nobody believes in anything that is not there.
//
// # Several masters
//
// With Config.Masters three or five masters elect a leader among themselves, and
// the registry is a replicated store with the contract of masterd/registry
// (store.go). Masters crash, at writes too, stand still and go on where they
// stood, are cut off from each other, from agents or from frameworks, in one
// direction or both; the network is split; clocks are wrong by minutes; disks of
// agents hang; operators mark agents gone. follows.go says what is promised
// about masters, and ensemble.go how they are elected and found.
//
// Run is the entry; the tests of this package are its callers.
package sim
