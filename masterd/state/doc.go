// Package state is the Mesos master as one deterministic machine: typed inputs
// go in, typed effects come out, and nothing else happens.
//
// It owns everything a master knows while it leads: frameworks, agents, tasks,
// executors, offers, and who is connected how. It does no I/O, reads no clock,
// starts no goroutine, draws no random number and logs nothing: time is an
// argument of Step, whatever must be unique is derived from the master's ID
// and a counter, and log lines are effects. The same inputs in the same order
// give the same effects, which is what the golden transcripts and the
// simulation rely on.
//
// The engine is the only caller of Step, from one goroutine. Readers get a
// View, which is immutable and may be read from any goroutine.
//
// # Life of a machine
//
// A Machine exists from the moment its process may lead. Its first input is
// Recovered, with the registry that was read behind a barrier of the store.
// Until then it refuses calls with 503 and drops messages, as a Mesos master
// does that has not finished recovery. When leadership is lost the Machine is
// thrown away.
//
// # What must be durable
//
// Whatever a later leader must agree with is written first and acted on then:
// a Persist effect carries registry operations, and effects that depend on
// them come out of the Step that gets the matching Persisted. The engine owes
// the machine exactly one Persisted per Persist, in the order of the tokens.
// It may batch the writes of many. A Persisted with an error ends the
// leadership (effect Abdicate), for what the store holds is then not known.
//
// # Order
//
// The engine performs the effects of a Step in order, and those of one Step
// before those of the next, as far as they concern the same peer, stream,
// reply or the allocator. Nothing is promised between different peers.
// Proto messages in effects are shared with the machine and with each other
// and must not be changed.
//
// # Where to find what
//
// inputs.go, effects.go, allocation.go, view.go and config.go are the
// contract. A file per concept follows: one for each scheduler call and for
// each message of an agent, driver.go for the dialect of native drivers,
// validate*.go for the rules about what frameworks and agents send.
package state
