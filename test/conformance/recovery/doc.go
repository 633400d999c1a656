// Package recovery kills an agent wherever that could hurt, with tasks on it, and
// counts them afterwards: over the network, with the real binaries, one of them
// built to die at named points.
package recovery
