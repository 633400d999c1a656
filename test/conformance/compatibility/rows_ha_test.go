package compatibility

const (
	chaos = "test/chaos."
	zkel  = "masterd/election/zookeeper."
	zkreg = "masterd/registry/zookeeper."
	rft   = "masterd/registry/raft."
	det   = "internal/detector."
	zook  = "internal/zookeeper."
)

// highAvailability are the ways in which masters agree and are found.
var highAvailability = []row{
	{"--zk of masters", works, zkel + "TestElection " + chaos + "TestZooKeeper", "election by `json.info_<sequence>` nodes, as Mesos has them; `zk://user:password@…`, `file://`"},
	{"--zk and --raft_peers", works, zkel + "TestElection " + chaos + "TestRaftLeaderInZooKeeper", "the leader that raft elects shows itself in ZooKeeper, and it alone"},
	{"--registry=raft", works, rft + "TestStore " + rft + "TestTheGroupFollowsItsList " + rft + "TestKillLosesNothingAcknowledged " + chaos + "TestLeaderIsKilled", "in place of `replicated_log`, which is not read"},
	{"--raft_peers in a file that changes", works, rft + "TestTheGroupFollowsItsList " + rft + "TestChangesKeepTheMajority " + rft + "TestWhoIsNotListedRuns", "the group of masters grows and shrinks while it runs; not in Mesos"},
	{"masters.replicas of a MesosCluster", works, "controllers/cluster.TestNoStepCostsTheMajority controllers/cluster.TestScaling controllers/cluster.TestUpgradeOrder test/e2e.TestMastersScale", "1, 3 or 5, changed while tasks run; upgrades replace followers before the leading master"},
	{"--domain, --attributes of agents on Kubernetes", works, "controllers/cluster.TestAgentsAreToldOfTheirNodes controllers/cluster.TestDomainsComeToTheMastersFirst test/e2e.TestNodeLabelsBecomeAttributes", "from the labels of their nodes"},
	{"--registry=zookeeper", works, zkreg + "TestStore " + zkreg + "TestEnsembleFails", "where Mesos's `replicated_log` finds its replicas by `--zk`"},
	{"--registry=in_memory", works, "masterd/registry/memory.TestStore", ""},
	{"--quorum", works, "masterd/app.TestValidate", "accepted; a majority of the peers, or ZooKeeper's own, decides"},
	{"--registry_strict", works, "masterd/app.TestValidate", "must be false, as in Mesos"},
	{"--registry_store_timeout", works, "masterd/registry.TestWithTimeout", "a leader whose write takes longer ends, as in Mesos"},
	{"ACLs of nodes", works, zook + "TestZooKeeper", "with credentials: everybody reads, the creator may do all"},
	{"--master of agents", works, det + "TestParse " + det + "TestDetect " + det + "TestDetectInZooKeeper", "`host:port`, several, a name with all addresses, `zk://…`, `file://…`; `mesosctl --master` likewise"},
	{"307 and 503 of masters that don't lead", works, "masterd/app.TestEnsemble " + chaos + "TestLeaderIsStopped", ""},
	{"registry of Mesos", works, "masterd/app.TestMigration", "`/registrar(1)/registry` of any Mesos 1.x can be imported"},
}
