// Package app puts the agent together: it reads the flags of mesos-agent, finds
// out what the machine has, and wires checkpoints, containerizer, engine and HTTP
// API. It owns the process: its listener, logs and signals. cmd/agentd is its
// only caller.
//
// Run is the daemon; Cleanup removes what agents leave on a machine that they
// will not come back to.
package app
