// Package zookeeper keeps the registry in a ZooKeeper ensemble: a snapshot and
// a log of what was done since, below the URL's path.
//
//	log_replicas/registry           head: which nodes make the registry (JSON)
//	             /<n>-<name>-s-<i>  part i of snapshot n
//	             /<n>-<name>-l-<i>  part i of the log behind that snapshot
//
// It stands below log_replicas because that is the one name beside the masters'
// own nodes that clients which look for the leader have always seen.
//
// # Writing
//
// A part is at most half of what ZooKeeper takes as one node, so a registry may
// have any size. Parts that the head doesn't name don't count: a write makes its
// parts first and then replaces the head, as one step. The head is replaced only
// if it is the one that this member knows, by ZooKeeper's version of it: whoever
// takes the lead replaces it, and from then on no write of an earlier leader can
// be made. Each leader begins with a snapshot of its own, whose number is the
// next and whose name is random, so that two members never write the same node,
// and none removes what a later one needs.
//
// A small write, which most are, is one request to ZooKeeper. When the log is
// longer than the snapshot, and not small, a new snapshot takes the place of both.
//
// A connection or a session that breaks under a write leaves open whether it was
// made. The head tells: each has a random mark. Nothing is written twice.
package zookeeper
