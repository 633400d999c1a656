// Package agent tries the agent as clients of its API and users of its executors
// see it: over the network, with the real binaries, in both encodings.
package agent
