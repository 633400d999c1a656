// Package engine runs the master's state machine (masterd/state) for one term
// of leadership: it brings inputs to it and performs its effects.
//
// One goroutine steps the machine and touches nothing that could wait: no
// network, no disk, no encoder, no log. What takes time has goroutines of its
// own, each fed by a queue that keeps the order the machine asked for:
//
//	inputs   HTTP handlers, libprocess, timers, writer, allocator -> loop
//	writer   batches Persist effects into the registry   (registry.Writer)
//	peers    encodes and sends libprocess messages, in order per peer
//	allocation   applies allocator effects, and allocates
//	streams  one Feed per subscription; the HTTP handler that owns the
//	         connection encodes and writes
//	hub      writes each operator event once into a journal that its
//	         subscribers read, each at its own pace
//	log      writes Log effects
//
// # Back-pressure
//
// What comes from outside waits for a slot before it may queue for the loop,
// so a flood slows down those who cause it: an HTTP handler, or the reading of
// one libprocess connection. What the engine itself feeds back (timers, durable
// writes, proposals, broken links) never waits, so the loop can't starve on
// itself. A framework that doesn't read is cut off when its Feed is full, and a
// subscriber of operator events when the journal has forgotten its place.
//
// # Failure
//
// A panic anywhere here ends the process: a machine that broke half-way through
// a Step must not go on. Abdicate and the end of Run's context end the term;
// then every waiting call fails with ErrStopped and every stream ends.
//
// The application (masterd/app) makes an Engine per term; masterd/httpapi calls
// it.
package engine
