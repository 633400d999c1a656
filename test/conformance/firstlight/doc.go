// Package firstlight holds tests of the path of a task through the real masterd
// and agentd: subscription, offer, launch, updates, output; what survives a
// SIGKILL of either; and what bad input is answered. They speak JSON, protobuf
// and libprocess messages over sockets, as unmodified Mesos clients, agents and
// masters do.
package firstlight
