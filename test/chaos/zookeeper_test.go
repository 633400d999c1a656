package chaos

import (
	"testing"
	"time"

	"github.com/mesos-operator/mesos-operator/internal/zookeeper"
	"github.com/mesos-operator/mesos-operator/internal/zookeeper/zktest"
	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

const zkTimeout = 2 * time.Second

// TestZooKeeper runs masters as an operator of Mesos starts them, with --zk and
// --quorum, and an agent that looks for them in ZooKeeper.
func TestZooKeeper(t *testing.T) {
	e := zktest.Start(t, 3)
	u := e.URL(t, "")
	zk := u.String()
	c := &cluster{t: t}
	for range 3 {
		m := testbed.NewMaster(t, "--zk="+zk, "--quorum=2", "--zk_session_timeout=2secs")
		c.masters = append(c.masters, m)
		m.Process.Start()
	}
	w := startWorkload(c, zk)
	c.write()
	var took figures
	for range rounds(2) {
		c.goesOn()
		old := c.leader()
		begin := time.Now()
		old.Kill()
		c.leader(old)
		took = append(took, time.Since(begin))
		old.Process.Start()
	}
	took.report(t, "kill -9 of the leader, elected by ZooKeeper", zkTimeout+promised)
	c.goesOn()

	// One server of ZooKeeper more or less is nothing to masters.
	e.Servers[0].Kill()
	c.goesOn()
	e.Servers[0].Start()
	e.Servers[0].Await()

	// Without ZooKeeper nobody leads, and with it somebody does again.
	for _, s := range e.Servers {
		s.Kill()
	}
	testbed.Eventually(t, "nobody leads", func() error {
		for _, m := range c.masters {
			if m.Running() && leads(m) {
				return errLeads
			}
		}
		return nil
	})
	for _, s := range e.Servers {
		s.Start()
	}
	for _, s := range e.Servers {
		s.Await()
	}
	for _, m := range c.masters {
		if !m.Running() { // its supervisor starts it again
			m.Process.Start()
		}
	}
	c.goesOn()
	c.nothingLost()
	w.check(c)
}

// TestRaftLeaderInZooKeeper: masters that elect by raft show the leader, and
// only it, in ZooKeeper.
func TestRaftLeaderInZooKeeper(t *testing.T) {
	e := zktest.Start(t, 1)
	u := e.URL(t, "mesos:secret")
	zk := "zk://mesos:secret@" + u.Servers[0] + u.Path
	c := newCluster(t, 3, "--zk="+zk, "--zk_session_timeout=10secs")
	w := startWorkload(c, zk)
	c.write()
	s, err := zookeeper.Open(t.Context(), zookeeper.Config{URL: u})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	g := zookeeper.NewGroup(s, u)
	shown := func() []string {
		names, _, err := g.Members(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var pids []string
		for _, m := range zookeeper.ParseMembers(names) {
			if info, _ := g.Info(t.Context(), m); info != nil {
				pids = append(pids, info.GetPid())
			}
		}
		if len(pids) > 1 {
			t.Errorf("more than one leader is shown: %v", pids)
		}
		return pids
	}
	var took figures
	for range rounds(2) {
		c.goesOn()
		old := c.leader()
		begin := time.Now()
		old.Kill()
		for next := c.leader(old); ; time.Sleep(20 * time.Millisecond) {
			if pids := shown(); len(pids) == 1 && pids[0] == "master@"+next.Address {
				break
			}
			if time.Since(begin) > testbed.Patience {
				t.Fatalf("ZooKeeper shows %v", shown())
			}
		}
		took = append(took, time.Since(begin))
		old.Process.Start()
		c.awaitVoters(3)
	}
	took.report(t, "kill -9 of the raft leader, until ZooKeeper shows the next", promised)
	c.nothingLost()
	w.check(c)
}
