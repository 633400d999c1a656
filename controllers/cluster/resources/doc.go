// Package resources builds the child objects of a MesosCluster as server-side
// apply configurations.
//
// One file describes one kind of object. Every builder is a total, pure function
// of the MesosCluster, the operator's defaults and, where an object depends on
// another, the live state of that one; it reads no clock, cluster or
// environment, so equal inputs give equal objects. The configurations hold
// exactly the fields that the operator owns. Only the operator's controllers call
// this package.
//
// What an agent leaves on its node, by pool:
//
//	/var/lib/mesos-operator/<namespace>_<cluster>_<pool>   work_dir: sandboxes, checkpoints, images
//	/run/mesos-operator/<namespace>_<cluster>_<pool>       runtime_dir, gone after a reboot
//	cgroup mesos_<namespace>_<cluster>_<pool>              the tasks, at the root of every hierarchy
//
// The clean-up DaemonSet removes all three, and reads their names from the agent
// DaemonSet rather than from this table, so that a newer operator still cleans up
// after an older one.
package resources
