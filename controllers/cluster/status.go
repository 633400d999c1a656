package cluster

import (
	"cmp"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mesos-operator/mesos-operator/api/v1alpha1"
	"github.com/mesos-operator/mesos-operator/controllers/cluster/resources"
)

// statusOf turns what a pass learned into a status. Before is the status until
// now: it keeps the times of conditions, and what was seen once.
func statusOf(s *scope, before v1alpha1.MesosClusterStatus) v1alpha1.MesosClusterStatus {
	out := v1alpha1.MesosClusterStatus{
		ObservedGeneration: s.cluster.Generation,
		Version:            before.Version,
		Leader:             s.leader,
		Endpoint:           endpoint(s),
		NodePort:           nodePort(s.leaderService),
		Masters:            countMasters(s),
		Agents:             countAgents(s, before.Agents.Registered),
		Pools:              poolStatuses(s),
		Conditions:         slices.Clone(before.Conditions),
	}
	if s.observed != nil && s.observed.State.Version != "" {
		out.Version = s.observed.State.Version
	}
	f := factsOf(s, out, before)
	for _, condition := range []func(facts) metav1.Condition{
		readyCondition, mastersReadyCondition, agentsReadyCondition, progressingCondition, degradedCondition,
	} {
		c := condition(f)
		c.ObservedGeneration = s.cluster.Generation
		meta.SetStatusCondition(&out.Conditions, c)
	}
	return out
}

func countMasters(s *scope) v1alpha1.MasterCounts {
	out := v1alpha1.MasterCounts{Desired: s.cluster.Spec.Masters.Replicas}
	if s.masters != nil {
		out.Ready = s.masters.Status.ReadyReplicas
		out.Updated = s.masters.Status.UpdatedReplicas
	}
	if s.observed != nil {
		out.Voting = s.observed.State.Votes
	}
	out.Summary = fmt.Sprintf("%d/%d", out.Ready, out.Desired)
	return out
}

// countAgents adds up the pools in use. Without an answer of the leading master,
// the number of registered agents is the last one known.
func countAgents(s *scope, known int32) v1alpha1.AgentCounts {
	out := v1alpha1.AgentCounts{Registered: known}
	for _, pool := range s.pools {
		if pool.status.Phase == v1alpha1.PoolRunning {
			out.Desired += pool.status.Desired
			out.Ready += pool.status.Ready
		}
	}
	if s.observed != nil {
		out.Registered = s.observed.State.ActiveAgents
	}
	out.Summary = fmt.Sprintf("%d/%d", out.Registered, out.Desired)
	return out
}

func poolStatuses(s *scope) []v1alpha1.PoolStatus {
	out := make([]v1alpha1.PoolStatus, 0, len(s.pools))
	for _, pool := range s.pools {
		out = append(out, pool.status)
	}
	slices.SortFunc(out, func(a, b v1alpha1.PoolStatus) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// endpoint is the load balancer's address, once it has one, or the leader Service's name.
func endpoint(s *scope) string {
	if s.leaderService == nil {
		return ""
	}
	for _, ingress := range s.leaderService.Status.LoadBalancer.Ingress {
		if host := cmp.Or(ingress.Hostname, ingress.IP); host != "" {
			return fmt.Sprintf("http://%s:%d", host, resources.MasterPort)
		}
	}
	return resources.LeaderURL(s.cluster)
}

func nodePort(service *corev1.Service) int32 {
	if service == nil || len(service.Spec.Ports) == 0 {
		return 0
	}
	return service.Spec.Ports[0].NodePort
}
