// Package state is the agent as one deterministic machine: frameworks,
// executors, tasks, status updates, registration with the master. It owns
// what the agent knows and decides what the agent does; it touches neither disk
// nor network nor containers, and knows no clock.
//
//	m := state.New(cfg)
//	effects := m.Step(input, now)   // perform them in this order
//	view := m.View()                // for readers
//
// # The rule of effects
//
// Effects are performed in the order in which Step returned them, over all
// steps. An effect behind a Checkpoint may become visible to anybody else (a
// message to the master, an event to an executor, a container started) only
// when that checkpoint is durable. Nothing else may be assumed about them: the
// results of containerizer calls come back as inputs, in any order.
//
// # Ownership
//
// The messages in an input belong to the machine from then on. Those in effects
// and views are shared and never changed again: a change replaces them.
//
// One goroutine may call Step and View; agentd/engine is that caller.
package state
