// Package engine runs the agent: it feeds the state machine and performs what
// the machine decides. It owns the machine, the checkpoints, the timers, the
// executors' streams and the agent's libprocess process; it calls the
// containerizer.
//
//	inputs ──> loop: state.Step ──> committer: checkpoint, then act ──> results are inputs again
//
// The loop is the one goroutine that touches the machine. It never waits for the
// disk: effects go to the committer, which takes all that have gathered,
// makes their checkpoints durable in one go, and then performs the rest in order.
// So an effect never becomes visible before a checkpoint that precedes it. Views for
// readers go the same way, and so never show what is not on the disk. What
// takes time (containers, detection of the master) runs in goroutines of its own.
//
// agentd/app makes an Engine; agentd/httpapi calls it for executors and readers.
package engine
