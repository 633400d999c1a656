package cluster

import (
	"errors"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mesos-operator/mesos-operator/api/v1alpha1"
)

// healthy is a cluster of three masters and four agents with nothing to complain of.
func healthy() facts {
	return facts{
		masters: v1alpha1.MasterCounts{Desired: 3, Ready: 3}, mastersSettled: true,
		leader: "m-1", answered: true,
		agents:  v1alpha1.AgentCounts{Desired: 4, Ready: 4, Registered: 4},
		pools:   []v1alpha1.PoolStatus{{Name: "p", Phase: v1alpha1.PoolRunning, Desired: 4, Ready: 4, Updated: 4}},
		settled: true,
		before: v1alpha1.MesosClusterStatus{
			Version: "1.11.0", Masters: v1alpha1.MasterCounts{Ready: 3}, Agents: v1alpha1.AgentCounts{Registered: 4},
		},
	}
}

func TestConditions(t *testing.T) {
	type want struct {
		status metav1.ConditionStatus
		reason string
	}
	yes := func(reason string) want { return want{metav1.ConditionTrue, reason} }
	no := func(reason string) want { return want{metav1.ConditionFalse, reason} }
	fine, stable := no(v1alpha1.ReasonHealthy), no(v1alpha1.ReasonStable)

	cases := map[string]struct {
		edit                         func(*facts)
		ready, progressing, degraded want
		message                      string // of Ready
	}{
		"healthy": {
			edit:  func(*facts) {},
			ready: yes(v1alpha1.ReasonReady), progressing: stable, degraded: fine,
			message: "3 of 3 masters are ready, and m-1 leads; 4 of 4 agents are registered",
		},
		"brand new": {
			edit: func(f *facts) {
				*f = facts{masters: v1alpha1.MasterCounts{Desired: 3}, pools: f.pools}
			},
			ready: no(v1alpha1.ReasonMastersNotReady), progressing: yes(v1alpha1.ReasonRollingOut), degraded: fine,
			message: "0 of 3 masters are ready, and 2 are needed to lead",
		},
		"masters up, none leads yet": {
			edit:  func(f *facts) { f.leader, f.before.Version = "", "" },
			ready: no(v1alpha1.ReasonNoLeader), progressing: yes(v1alpha1.ReasonNoLeader), degraded: fine,
			message: "no master leads yet",
		},
		"the first leader was not asked yet": {
			edit:  func(f *facts) { f.answered, f.before.Version = false, "" },
			ready: no(v1alpha1.ReasonLeaderUnreachable), progressing: yes(v1alpha1.ReasonNoLeader), degraded: fine,
			message: "m-1 leads, and was not asked yet",
		},
		"one master of three lost": {
			edit:  func(f *facts) { f.masters.Ready = 2 },
			ready: no(v1alpha1.ReasonMastersNotReady), progressing: stable, degraded: yes(v1alpha1.ReasonMastersNotReady),
			message: "2 of 3 masters are ready, and m-1 leads",
		},
		"the third master starts": {
			edit:  func(f *facts) { f.masters.Ready, f.before.Masters.Ready = 2, 2 },
			ready: no(v1alpha1.ReasonMastersNotReady), progressing: stable, degraded: fine,
		},
		"quorum lost": {
			edit:  func(f *facts) { f.masters.Ready = 1 },
			ready: no(v1alpha1.ReasonMastersNotReady), progressing: stable, degraded: yes(v1alpha1.ReasonQuorumLost),
			message: "1 of 3 masters are ready, and 2 are needed to lead",
		},
		"the leader lost": {
			edit:  func(f *facts) { f.leader = "" },
			ready: no(v1alpha1.ReasonNoLeader), progressing: stable, degraded: yes(v1alpha1.ReasonNoLeader),
		},
		"the leader is silent": {
			edit:  func(f *facts) { f.unreachable = "connection refused" },
			ready: no(v1alpha1.ReasonLeaderUnreachable), progressing: stable, degraded: yes(v1alpha1.ReasonLeaderUnreachable),
			message: "m-1 leads, but: connection refused",
		},
		"an agent lost": {
			edit:  func(f *facts) { f.agents.Registered = 3 },
			ready: no(v1alpha1.ReasonAgentsUnregistered), progressing: yes(v1alpha1.ReasonAgentsUnregistered), degraded: yes(v1alpha1.ReasonAgentsUnregistered),
			message: "3 of 4 agents are registered; the pods of 4 are ready",
		},
		"an agent still lost": {
			edit: func(f *facts) {
				f.agents.Registered, f.before.Agents.Registered = 3, 3
				f.before.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionDegraded, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonAgentsUnregistered}}
			},
			ready: no(v1alpha1.ReasonAgentsUnregistered), progressing: yes(v1alpha1.ReasonAgentsUnregistered), degraded: yes(v1alpha1.ReasonAgentsUnregistered),
		},
		"a node joins": {
			edit:  func(f *facts) { f.agents.Desired = 5 },
			ready: no(v1alpha1.ReasonAgentsUnregistered), progressing: yes(v1alpha1.ReasonAgentsUnregistered), degraded: fine,
		},
		"agents roll": {
			edit:  func(f *facts) { f.settled, f.agents.Registered = false, 3 },
			ready: no(v1alpha1.ReasonAgentsNotReady), progressing: yes(v1alpha1.ReasonRollingOut), degraded: fine,
		},
		"foreign agents are registered as well": {
			edit:  func(f *facts) { f.agents.Registered = 9 },
			ready: yes(v1alpha1.ReasonReady), progressing: stable, degraded: fine,
		},
		"no pools": {
			edit:  func(f *facts) { f.pools, f.agents = nil, v1alpha1.AgentCounts{} },
			ready: yes(v1alpha1.ReasonReady), progressing: stable, degraded: fine,
			message: "add spec.agentPools to run tasks",
		},
		"no nodes": {
			edit:  func(f *facts) { f.agents = v1alpha1.AgentCounts{} },
			ready: yes(v1alpha1.ReasonReady), progressing: stable, degraded: fine,
			message: "no node matches the agent pools",
		},
		"a refused change": {
			edit:  func(f *facts) { f.failure = errors.Join(errors.New("one"), errors.New("two"), errors.New("one")) },
			ready: no(v1alpha1.ReasonApplyFailed), progressing: stable, degraded: yes(v1alpha1.ReasonApplyFailed),
			message: "one; two",
		},
		"a pool is cleaned": {
			edit: func(f *facts) {
				f.pools = append(f.pools, v1alpha1.PoolStatus{Name: "old", Phase: v1alpha1.PoolCleaning, Desired: 2, Ready: 1})
			},
			ready: yes(v1alpha1.ReasonReady), progressing: yes(v1alpha1.ReasonRollingOut), degraded: fine,
		},
		"deletion": {
			edit: func(f *facts) {
				f.deleting = true
				f.pools = []v1alpha1.PoolStatus{{Name: "p", Phase: v1alpha1.PoolCleaning, Desired: 2, Ready: 1}}
			},
			ready: no(v1alpha1.ReasonDeleting), progressing: yes(v1alpha1.ReasonDeleting), degraded: fine,
			message: "cleaning pool p: 1 of 2 nodes are clean (annotate the MesosCluster with mesos.dev/skip-cleanup=true",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			f := healthy()
			tc.edit(&f)
			for _, check := range []struct {
				got  metav1.Condition
				want want
			}{
				{readyCondition(f), tc.ready},
				{progressingCondition(f), tc.progressing},
				{degradedCondition(f), tc.degraded},
			} {
				if got := (want{check.got.Status, check.got.Reason}); got != check.want {
					t.Errorf("%s is %v (%s), want %v", check.got.Type, got, check.got.Message, check.want)
				}
			}
			if got := readyCondition(f).Message; !strings.Contains(got, tc.message) {
				t.Errorf("Ready says %q, want %q", got, tc.message)
			}
		})
	}
}

// Every pass must write conditions that the API server takes: reasons and messages that are not empty.
func TestConditionsAreComplete(t *testing.T) {
	f := healthy()
	for _, c := range []metav1.Condition{readyCondition(f), mastersReadyCondition(f), agentsReadyCondition(f), progressingCondition(f), degradedCondition(f)} {
		if c.Type == "" || c.Status == "" || c.Reason == "" || c.Message == "" {
			t.Errorf("%+v", c)
		}
	}
}
