package cluster

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mesos-operator/mesos-operator/api/v1alpha1"
	"github.com/mesos-operator/mesos-operator/controllers/cluster/resources"
)

// facts is all that the conditions depend on.
type facts struct {
	deleting bool
	failure  error // of this pass

	masters        v1alpha1.MasterCounts
	mastersSettled bool
	members        int32  // masters that decide together, or 0 if that is not known
	scaling        string // what a change of the number of masters waits for
	upgrading      string // how far a change of the masters' pods is
	leader         string
	answered       bool   // the leading master was asked at least once
	unreachable    string // why its last answer failed

	agents  v1alpha1.AgentCounts
	pools   []v1alpha1.PoolStatus
	settled bool // every pool

	before v1alpha1.MesosClusterStatus
}

func factsOf(s *scope, now, before v1alpha1.MesosClusterStatus) facts {
	f := facts{
		deleting: s.deleting(), failure: s.err(),
		masters: now.Masters, leader: s.leader,
		agents: now.Agents, pools: now.Pools, settled: true,
		before: before,
	}
	if set := s.masters; set != nil {
		f.mastersSettled = set.Status.ObservedGeneration >= set.Generation &&
			set.Status.UpdatedReplicas >= now.Masters.Desired &&
			set.Status.Replicas == now.Masters.Desired &&
			s.scaling == "" && s.upgrading == ""
	}
	f.members, f.scaling, f.upgrading = s.group.listed, s.scaling, s.upgrading
	for _, pool := range s.pools {
		f.settled = f.settled && pool.settled && pool.status.Phase == v1alpha1.PoolRunning
	}
	if s.observed != nil {
		f.answered, f.unreachable = true, s.observed.Failure
	}
	return f
}

// led tells whether a leading master has ever answered: what is missing before
// that is still on its way, and what is missing afterwards is lost.
func (f facts) led() bool { return f.before.Version != "" }

// needed is how many masters must be ready for one to lead. While their number changes,
// those that vote say so rather than those that are wanted.
func (f facts) needed() int32 {
	switch {
	case f.masters.Voting > 0:
		return resources.Quorum(f.masters.Voting)
	case f.members > 0:
		return resources.Quorum(f.members)
	}
	return resources.Quorum(f.masters.Desired)
}

func (f facts) quorum() bool { return f.masters.Ready >= f.needed() }

// retiring lists the pools that are on their way out, with how far they are.
func (f facts) retiring() string {
	var out []string
	for _, pool := range f.pools {
		switch pool.Phase {
		case v1alpha1.PoolDraining:
			out = append(out, fmt.Sprintf("stopping the agents of pool %s", pool.Name))
		case v1alpha1.PoolCleaning:
			out = append(out, fmt.Sprintf("cleaning pool %s: %d of %d nodes are clean", pool.Name, pool.Ready, pool.Desired))
		}
	}
	return strings.Join(out, "; ")
}

func condition(kind string, status metav1.ConditionStatus, reason, message string, args ...any) metav1.Condition {
	return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: fmt.Sprintf(message, args...)}
}

// mastersReadyCondition: every master is ready and one leads.
func mastersReadyCondition(f facts) metav1.Condition {
	const kind = v1alpha1.ConditionMastersReady
	switch {
	case f.deleting:
		return condition(kind, metav1.ConditionFalse, v1alpha1.ReasonDeleting, "the cluster is being deleted")
	case !f.quorum():
		return condition(kind, metav1.ConditionFalse, v1alpha1.ReasonMastersNotReady,
			"%d of %d masters are ready, and %d are needed to lead", f.masters.Ready, f.masters.Desired, f.needed())
	case f.leader == "":
		return condition(kind, metav1.ConditionFalse, v1alpha1.ReasonNoLeader, "no master leads yet")
	case !f.answered:
		return condition(kind, metav1.ConditionUnknown, v1alpha1.ReasonLeaderUnreachable, "%s leads, and was not asked yet", f.leader)
	case f.unreachable != "":
		return condition(kind, metav1.ConditionFalse, v1alpha1.ReasonLeaderUnreachable, "%s leads, but: %s", f.leader, f.unreachable)
	case f.masters.Ready < f.masters.Desired:
		return condition(kind, metav1.ConditionFalse, v1alpha1.ReasonMastersNotReady,
			"%d of %d masters are ready, and %s leads", f.masters.Ready, f.masters.Desired, f.leader)
	case f.masters.Voting > 0 && f.masters.Voting < f.masters.Desired:
		return condition(kind, metav1.ConditionFalse, v1alpha1.ReasonMastersNotReady,
			"%d of %d masters vote, and %s leads", f.masters.Voting, f.masters.Desired, f.leader)
	}
	return condition(kind, metav1.ConditionTrue, v1alpha1.ReasonReady,
		"%d of %d masters are ready, and %s leads", f.masters.Ready, f.masters.Desired, f.leader)
}

// agentsReadyCondition: every wanted agent is registered with the leading master.
func agentsReadyCondition(f facts) metav1.Condition {
	const kind = v1alpha1.ConditionAgentsReady
	switch {
	case f.deleting:
		return condition(kind, metav1.ConditionFalse, v1alpha1.ReasonDeleting, "the cluster is being deleted")
	case len(f.pools) == 0:
		return condition(kind, metav1.ConditionTrue, v1alpha1.ReasonNoPools, "there are no agent pools: add spec.agentPools to run tasks")
	case !f.settled:
		return condition(kind, metav1.ConditionFalse, v1alpha1.ReasonAgentsNotReady,
			"%d of %d agents are ready, and their rollout is not over", f.agents.Ready, f.agents.Desired)
	case f.agents.Desired == 0:
		return condition(kind, metav1.ConditionTrue, v1alpha1.ReasonNoNodes, "no node matches the agent pools")
	case !f.answered || f.unreachable != "":
		return condition(kind, metav1.ConditionUnknown, v1alpha1.ReasonLeaderUnreachable, "the leading master does not tell which agents are registered")
	case f.agents.Registered < f.agents.Desired:
		return condition(kind, metav1.ConditionFalse, v1alpha1.ReasonAgentsUnregistered,
			"%d of %d agents are registered; the pods of %d are ready", f.agents.Registered, f.agents.Desired, f.agents.Ready)
	}
	return condition(kind, metav1.ConditionTrue, v1alpha1.ReasonReady, "%d of %d agents are registered", f.agents.Registered, f.agents.Desired)
}

// readyCondition sums up: the first thing that is missing, or that nothing is.
func readyCondition(f facts) metav1.Condition {
	const kind = v1alpha1.ConditionReady
	switch {
	case f.deleting:
		return condition(kind, metav1.ConditionFalse, v1alpha1.ReasonDeleting, "%s", deletionMessage(f))
	case f.failure != nil:
		return condition(kind, metav1.ConditionFalse, v1alpha1.ReasonApplyFailed, "%s", oneLine(f.failure))
	}
	masters, agents := mastersReadyCondition(f), agentsReadyCondition(f)
	for _, part := range []metav1.Condition{masters, agents} {
		if part.Status != metav1.ConditionTrue {
			return condition(kind, metav1.ConditionFalse, part.Reason, "%s", part.Message)
		}
	}
	return condition(kind, metav1.ConditionTrue, v1alpha1.ReasonReady, "%s; %s", masters.Message, agents.Message)
}

// progressingCondition: something that was asked for is being carried out.
func progressingCondition(f facts) metav1.Condition {
	const kind = v1alpha1.ConditionProgressing
	switch {
	case f.deleting:
		return condition(kind, metav1.ConditionTrue, v1alpha1.ReasonDeleting, "%s", deletionMessage(f))
	case f.retiring() != "":
		return condition(kind, metav1.ConditionTrue, v1alpha1.ReasonRollingOut, "%s", f.retiring())
	case f.scaling != "":
		return condition(kind, metav1.ConditionTrue, v1alpha1.ReasonScalingMasters, "%s", f.scaling)
	case f.upgrading != "":
		return condition(kind, metav1.ConditionTrue, v1alpha1.ReasonUpgradingMasters, "%s", f.upgrading)
	case !f.mastersSettled:
		return condition(kind, metav1.ConditionTrue, v1alpha1.ReasonRollingOut, "the masters are being rolled out")
	case !f.settled:
		return condition(kind, metav1.ConditionTrue, v1alpha1.ReasonRollingOut, "the agents are being rolled out")
	case !f.led():
		return condition(kind, metav1.ConditionTrue, v1alpha1.ReasonNoLeader, "waiting for the first leading master")
	case f.agents.Registered < f.agents.Desired:
		return condition(kind, metav1.ConditionTrue, v1alpha1.ReasonAgentsUnregistered, "waiting for agents to register")
	}
	return condition(kind, metav1.ConditionFalse, v1alpha1.ReasonStable, "nothing is left to do")
}

// degradedCondition: what worked no longer does, or a change was refused. What has
// not worked yet is progress, not degradation.
func degradedCondition(f facts) metav1.Condition {
	const kind = v1alpha1.ConditionDegraded
	switch {
	case f.failure != nil:
		return condition(kind, metav1.ConditionTrue, v1alpha1.ReasonApplyFailed, "%s", oneLine(f.failure))
	case f.deleting || !f.led():
		return condition(kind, metav1.ConditionFalse, v1alpha1.ReasonHealthy, "nothing is wrong")
	case !f.quorum():
		return condition(kind, metav1.ConditionTrue, v1alpha1.ReasonQuorumLost,
			"%d of %d masters are ready, and %d are needed to lead", f.masters.Ready, f.masters.Desired, f.needed())
	case f.leader == "":
		return condition(kind, metav1.ConditionTrue, v1alpha1.ReasonNoLeader, "no master leads")
	case f.unreachable != "":
		return condition(kind, metav1.ConditionTrue, v1alpha1.ReasonLeaderUnreachable, "%s", f.unreachable)
	case f.mastersSettled && f.lost(f.masters.Ready, f.before.Masters.Ready, f.masters.Desired, v1alpha1.ReasonMastersNotReady):
		return condition(kind, metav1.ConditionTrue, v1alpha1.ReasonMastersNotReady,
			"%d of %d masters are ready", f.masters.Ready, f.masters.Desired)
	case f.settled && f.lost(f.agents.Registered, f.before.Agents.Registered, f.agents.Desired, v1alpha1.ReasonAgentsUnregistered):
		return condition(kind, metav1.ConditionTrue, v1alpha1.ReasonAgentsUnregistered,
			"%d of %d agents are registered", f.agents.Registered, f.agents.Desired)
	}
	return condition(kind, metav1.ConditionFalse, v1alpha1.ReasonHealthy, "nothing is wrong")
}

// lost tells what left from what has yet to arrive: there are fewer than before, or
// the cluster is degraded for that reason and there are still too few.
func (f facts) lost(now, before, desired int32, reason string) bool {
	if now >= desired {
		return false
	}
	was := meta.FindStatusCondition(f.before.Conditions, v1alpha1.ConditionDegraded)
	since := was != nil && was.Status == metav1.ConditionTrue && was.Reason == reason
	return since || now < before
}

func deletionMessage(f facts) string {
	if doing := f.retiring(); doing != "" {
		return doing + fmt.Sprintf(" (annotate the MesosCluster with %s=true to give up on nodes that are gone)", v1alpha1.AnnotationSkipCleanup)
	}
	return "stopping the masters"
}

// oneLine writes the parts of a joined error on one line, each once.
func oneLine(err error) string {
	var out []string
	for line := range strings.SplitSeq(err.Error(), "\n") {
		if !slices.Contains(out, line) {
			out = append(out, line)
		}
	}
	return strings.Join(out, "; ")
}

// summary writes conditions for the log: Ready=False(NoLeader) and so on.
func summary(conditions []metav1.Condition) string {
	out := make([]string, 0, len(conditions))
	for _, c := range conditions {
		out = append(out, fmt.Sprintf("%s=%s(%s)", c.Type, c.Status, c.Reason))
	}
	return strings.Join(out, " ")
}
