// Package zookeeper is what masters, agents and mesosctl need of ZooKeeper: the
// URLs under which Mesos names an ensemble, sessions that end when they should,
// and the group of masters that Mesos keeps there.
//
// It stands on go-zookeeper/zk, which owns the protocol, and adds what that
// leaves to its users:
//
//   - A Session is one session. It ends for good when ZooKeeper says so, or when
//     nothing was heard for as long as it takes ZooKeeper to end it: a leader cut
//     off from the ensemble knows that it is none any more. Whoever needs another
//     one opens it, which also looks up the ensemble's names again.
//   - Every call ends with its context.
//   - Nodes get the ACL that Mesos gives them: everybody may read and the creator
//     may do all if the URL has credentials, else everybody may do all.
//
// # The group of masters
//
// The children of the URL's path, as Mesos has them:
//
//	json.info_0000000007   ephemeral, sequential: a MasterInfo as JSON
//	info_0000000008        the same as protobuf, of Mesos before 0.24
//	log_replicas           of Mesos's replicated log; ours is below it
//
// The lowest number leads. masterd/election/zookeeper joins the group,
// internal/detector watches it; masterd/registry/zookeeper keeps its nodes through
// a Session.
package zookeeper
