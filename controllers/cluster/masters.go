package cluster

import (
	"context"
	"errors"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mesos-operator/mesos-operator/controllers/cluster/leader"
	"github.com/mesos-operator/mesos-operator/controllers/cluster/resources"
)

// reconcileMasters applies the StatefulSet, and sees to it that its pods are what it
// says. It does nothing until the leader Service has its address, which the masters
// advertise.
func (r *Reconciler) reconcileMasters(ctx context.Context, s *scope) error {
	if s.leaderService == nil || s.group.listed == 0 {
		return nil // An earlier phase told why.
	}
	if err := r.takeOverUpdates(ctx, s); err != nil {
		return err
	}
	config := resources.MasterStatefulSet(s.cluster, r.defaults, clusterIP(s.leaderService), s.group.pods)
	masters, err := apply[appsv1.StatefulSet](ctx, r.applier, s.key(), config)
	if err != nil {
		return err
	}
	s.masters = masters
	return errors.Join(r.tellMembers(ctx, s), r.upgradeMasters(ctx, s), r.sweepClaims(ctx, s))
}

// takeOverUpdates changes the strategy of a StatefulSet that an earlier operator has
// made: the API server has put a default beside the old one, which the new one forbids,
// and which an apply doesn't take away.
func (r *Reconciler) takeOverUpdates(ctx context.Context, s *scope) error {
	live := &appsv1.StatefulSet{}
	err := r.client.Get(ctx, client.ObjectKey{Namespace: s.cluster.Namespace, Name: resources.MasterName(s.cluster)}, live)
	if err != nil || live.Spec.UpdateStrategy.Type != appsv1.RollingUpdateStatefulSetStrategyType {
		return client.IgnoreNotFound(err)
	}
	before := live.DeepCopy()
	live.Spec.UpdateStrategy = appsv1.StatefulSetUpdateStrategy{Type: appsv1.OnDeleteStatefulSetStrategyType}
	if err := r.client.Patch(ctx, live, client.MergeFrom(before), client.FieldOwner(resources.FieldOwner)); err != nil {
		return fmt.Errorf("changing the update strategy of the masters' StatefulSet: %w", err)
	}
	return nil
}

// clusterIP of a Service; "None" is no address.
func clusterIP(service *corev1.Service) string {
	if service.Spec.ClusterIP == corev1.ClusterIPNone {
		return ""
	}
	return service.Spec.ClusterIP
}

func podReady(pod *corev1.Pod) bool {
	if !pod.DeletionTimestamp.IsZero() {
		return false
	}
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

// observeLeader takes the leading master's last answer, and asks for a new one
// when another pod leads now.
func (r *Reconciler) observeLeader(_ context.Context, s *scope) error {
	r.leaders.Track(s.key(), leader.Target{URL: resources.LeaderURL(s.cluster), Audience: resources.TokenAudience(s.cluster)})
	if s.leader != s.cluster.Status.Leader {
		r.leaders.Poke()
	}
	if last, ok := r.leaders.Last(s.key()); ok {
		s.observed = &last
	}
	return nil
}
