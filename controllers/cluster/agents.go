package cluster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mesos-operator/mesos-operator/api/v1alpha1"
	"github.com/mesos-operator/mesos-operator/controllers/cluster/resources"
)

// poolSets are the DaemonSets of a pool that exist.
type poolSets struct {
	agent, cleanup *appsv1.DaemonSet
}

// reconcileAgents runs the pools of the spec and retires the others.
func (r *Reconciler) reconcileAgents(ctx context.Context, s *scope) error {
	sets, err := r.listPools(ctx, s)
	if err != nil {
		return err
	}
	wanted := map[string]v1alpha1.AgentPool{}
	for _, pool := range s.cluster.Spec.AgentPools {
		wanted[pool.Name] = pool
		if _, ok := sets[pool.Name]; !ok {
			sets[pool.Name] = poolSets{}
		}
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(sets)) {
		if pool, ok := wanted[name]; ok {
			errs = append(errs, r.runPool(ctx, s, pool, sets[name]))
		} else {
			errs = append(errs, r.retirePool(ctx, s, name, sets[name]))
		}
	}
	return errors.Join(errs...)
}

// listPools finds a cluster's DaemonSets by pool.
func (r *Reconciler) listPools(ctx context.Context, s *scope) (map[string]poolSets, error) {
	list := &appsv1.DaemonSetList{}
	selector := client.MatchingLabels{
		v1alpha1.LabelCluster:    s.cluster.Name,
		resources.ManagedByLabel: resources.FieldOwner,
	}
	if err := r.client.List(ctx, list, client.InNamespace(s.cluster.Namespace), selector); err != nil {
		return nil, fmt.Errorf("listing the agent pools' DaemonSets: %w", err)
	}
	out := map[string]poolSets{}
	for i := range list.Items {
		set := &list.Items[i]
		if !metav1.IsControlledBy(set, s.cluster) {
			continue
		}
		pool := out[set.Labels[v1alpha1.LabelPool]]
		switch set.Labels[v1alpha1.LabelRole] {
		case v1alpha1.RoleAgent:
			pool.agent = set
		case v1alpha1.RoleCleanup:
			pool.cleanup = set
		}
		out[set.Labels[v1alpha1.LabelPool]] = pool
	}
	return out, nil
}

// runPool applies the DaemonSet of a pool in the spec, once nothing of an earlier
// pool of that name is in its way.
func (r *Reconciler) runPool(ctx context.Context, s *scope, pool v1alpha1.AgentPool, sets poolSets) error {
	switch {
	case sets.cleanup != nil && (sets.agent == nil || terminating(sets.agent)):
		// Cleaning has begun, and can only be finished.
		return r.retirePool(ctx, s, pool.Name, sets)
	case sets.cleanup != nil:
		return r.remove(ctx, sets.cleanup)
	case terminating(sets.agent):
		// Deleted behind our back, or the pool came back in time: its tasks live on
		// without it, and the next DaemonSet's agents will find them.
		s.pools = append(s.pools, poolOf(pool.Name, v1alpha1.PoolRunning, sets.agent))
		return r.release(ctx, sets.agent)
	}
	config := resources.AgentDaemonSet(s.cluster, r.defaults, pool, regions(s, sets.agent))
	set, err := apply[appsv1.DaemonSet](ctx, r.applier, s.key(), config)
	if err != nil {
		set = sets.agent // What runs still runs.
	}
	s.pools = append(s.pools, poolOf(pool.Name, v1alpha1.PoolRunning, set))
	return err
}

// regions tells whether the agents of a pool are to have fault domains. Masters refuse
// agents that have one while they have none themselves, so agents that run wait until the
// masters have theirs.
func regions(s *scope, live *appsv1.DaemonSet) bool {
	switch {
	case s.cluster.Spec.FaultDomain == nil:
		return false
	case live == nil || resources.WantsDomain(live.Spec.Template.Annotations):
		return true
	}
	set := s.masters
	return set != nil && set.Status.ObservedGeneration >= set.Generation && s.upgrading == "" &&
		set.Status.UpdatedReplicas >= s.cluster.Spec.Masters.Replicas && s.leader != ""
}

// poolOf describes a pool by one of its DaemonSets.
func poolOf(name string, phase v1alpha1.PoolPhase, set *appsv1.DaemonSet) poolView {
	out := poolView{status: v1alpha1.PoolStatus{Name: name, Phase: phase}}
	if set == nil {
		return out
	}
	out.status.Desired = set.Status.DesiredNumberScheduled
	out.status.Ready = set.Status.NumberReady
	out.status.Updated = set.Status.UpdatedNumberScheduled
	out.settled = rolledOut(set) && !terminating(set)
	return out
}

// rolledOut tells whether every node that should has a pod as last specified.
func rolledOut(set *appsv1.DaemonSet) bool {
	return set.Status.ObservedGeneration >= set.Generation &&
		set.Status.UpdatedNumberScheduled >= set.Status.DesiredNumberScheduled
}

func terminating(set *appsv1.DaemonSet) bool {
	return set != nil && !set.DeletionTimestamp.IsZero()
}
