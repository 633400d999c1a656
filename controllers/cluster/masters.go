package cluster

import (
	"context"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mesos-operator/mesos-operator/api/v1alpha1"
	"github.com/mesos-operator/mesos-operator/controllers/cluster/leader"
	"github.com/mesos-operator/mesos-operator/controllers/cluster/resources"
)

// reconcileMasters applies the StatefulSet and finds out who leads. It does
// nothing until the leader Service has its address, which the masters advertise.
func (r *Reconciler) reconcileMasters(ctx context.Context, s *scope) error {
	if s.leaderService == nil {
		return nil // The access phase told why.
	}
	config := resources.MasterStatefulSet(s.cluster, r.defaults, clusterIP(s.leaderService))
	masters, err := apply[appsv1.StatefulSet](ctx, r.applier, s.key(), config)
	if err != nil {
		return err
	}
	s.masters = masters
	s.leader, err = r.findLeader(ctx, s)
	return err
}

// clusterIP of a Service; "None" is no address.
func clusterIP(service *corev1.Service) string {
	if service.Spec.ClusterIP == corev1.ClusterIPNone {
		return ""
	}
	return service.Spec.ClusterIP
}

// findLeader returns the pod that the leader Service selects. For a moment after
// a leader's death there can be two, of which the dead one is not ready.
func (r *Reconciler) findLeader(ctx context.Context, s *scope) (string, error) {
	pods := &corev1.PodList{}
	selector := client.MatchingLabels(resources.PodSelector(s.cluster, v1alpha1.RoleMaster))
	selector[v1alpha1.LabelLeader] = "true"
	if err := r.client.List(ctx, pods, client.InNamespace(s.cluster.Namespace), selector); err != nil {
		return "", fmt.Errorf("listing the leading master's pod: %w", err)
	}
	var names []string
	for i := range pods.Items {
		if podReady(&pods.Items[i]) {
			names = append(names, pods.Items[i].Name)
		}
	}
	if len(names) == 0 {
		return "", nil
	}
	return slices.Min(names), nil
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
