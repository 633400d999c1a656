// Package detector finds the leading master of a cluster, by what an operator
// knows of it:
//
//	host:port              a master, or a Service in front of them
//	host:port,host:port    some of the masters
//	name:port              a name with the addresses of all, as of a headless Service
//	zk://user:password@host:port,host:port/path
//	                       the ensemble in which masters elect their leader
//	file:///path           a file with one of these, read anew for each detection
//
// Masters are asked over HTTP, so it works with every master of Mesos 1.x; in
// ZooKeeper it reads what they have put there.
//
// It keeps no state between two detections. Agents and mesosctl use it.
package detector
