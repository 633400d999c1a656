// Package zookeeper elects the leading master as Mesos does: every master puts a
// node into a group in ZooKeeper, and the one with the lowest number leads. So
// whatever looks for a leader there, agents, drivers, proxies, finds ours.
//
// An Elector contends for the leadership by that. A Publisher is for masters that
// elect by their registry (raft): the one that leads shows itself in the group,
// and it alone.
//
// masterd/app uses both; the group itself is internal/zookeeper's.
package zookeeper
