package cluster

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mesos-operator/mesos-operator/api/v1alpha1"
	"github.com/mesos-operator/mesos-operator/controllers/cluster/resources"
)

// leaderless is how long nobody has to have led before an upgrade goes on without
// asking for a whole group: the change that it carries may be the cure.
const leaderless = time.Minute

// master is what an upgrade needs to know of a master's pod.
type master struct {
	name    string
	ordinal int32
	old     bool // made from an earlier spec
	ready   bool
	ending  bool
}

// upgrade is the masters before one of them is replaced.
type upgrade struct {
	masters []master
	wanted  int32  // how many there should be
	leader  string // pod of the leading one
	whole   bool   // all have votes and are up to date, as the leading one says now
	lost    bool   // nobody has led for long
}

// next picks the master to replace now, or says what is waited for. The rules:
//
//   - One at a time, and the next when all are ready again and the group is whole.
//   - One that isn't ready goes first: it serves nobody.
//   - Followers go before the leader, which hands over when it ends: its clients move once.
//   - A lone master, and masters that nobody has led for long, have nothing to wait for.
func (u upgrade) next() (name, waiting string) {
	var old []master
	ready := true
	for _, m := range u.masters {
		if m.old {
			old = append(old, m)
		}
		ready = ready && m.ready && !m.ending
	}
	if len(old) == 0 {
		return "", ""
	}
	progress := fmt.Sprintf("%d of %d masters run with the current spec", len(u.masters)-len(old), u.wanted)
	if slices.ContainsFunc(u.masters, func(m master) bool { return m.ending }) || int32(len(u.masters)) < u.wanted {
		return "", progress
	}
	slices.SortFunc(old, func(a, b master) int {
		return cmp.Or(before(!a.ready, !b.ready), before(a.name != u.leader, b.name != u.leader), cmp.Compare(b.ordinal, a.ordinal))
	})
	switch {
	case !old[0].ready, u.wanted == 1, u.lost && ready, ready && u.whole:
		return old[0].name, progress
	case !ready:
		return "", progress + "; waiting until all are ready"
	}
	return "", progress + "; waiting until all are up to date"
}

// before orders true before false.
func before(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

// upgradeMasters replaces the next master whose pod is from an earlier spec. It evicts
// the pod, so that Kubernetes refuses where the masters' disruption budget is used up.
func (r *Reconciler) upgradeMasters(ctx context.Context, s *scope) error {
	set := s.masters
	if set == nil || set.Status.ObservedGeneration < set.Generation || !s.group.settled() {
		return nil
	}
	u := upgrade{wanted: s.group.wanted, leader: s.leader, lost: r.leaderless(s), masters: mastersOf(s.masterPods, set)}
	if name, waiting := u.next(); name == "" && waiting == "" {
		return nil
	}
	if state, err := r.leaders.Ask(ctx, s.key()); err == nil {
		fresh := s.group
		fresh.votes, fresh.current = state.Votes, state.Current
		u.whole = fresh.whole()
	}
	name, waiting := u.next()
	s.upgrading = waiting
	s.again(retryMasters)
	if name == "" {
		return nil
	}
	return r.replaceMaster(ctx, s, name)
}

func (r *Reconciler) replaceMaster(ctx context.Context, s *scope, name string) error {
	at := slices.IndexFunc(s.masterPods, func(p corev1.Pod) bool { return p.Name == name })
	pod := &s.masterPods[at]
	eviction := &policyv1.Eviction{DeleteOptions: &metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &pod.UID}}}
	err := r.client.SubResource("eviction").Create(ctx, pod, eviction)
	switch {
	case err == nil:
		r.tell(s.cluster, v1alpha1.ReasonUpgradingMasters, "Upgrade", "replacing %s: %s", name, s.upgrading)
	case apierrors.IsTooManyRequests(err):
		s.upgrading += "; another disruption of the masters is under way"
	case !apierrors.IsNotFound(err) && !apierrors.IsConflict(err):
		return fmt.Errorf("replacing master %s: %w", name, err)
	}
	return nil
}

// leaderless tells whether nobody has led for long.
func (r *Reconciler) leaderless(s *scope) bool {
	for _, c := range s.cluster.Status.Conditions {
		if c.Type == v1alpha1.ConditionMastersReady {
			return s.leader == "" && c.Status != metav1.ConditionTrue && c.Reason == v1alpha1.ReasonNoLeader &&
				r.now().Sub(c.LastTransitionTime.Time) > leaderless
		}
	}
	return false
}

func mastersOf(pods []corev1.Pod, set *appsv1.StatefulSet) []master {
	out := make([]master, 0, len(pods))
	for i := range pods {
		pod := &pods[i]
		if !metav1.IsControlledBy(pod, set) {
			continue
		}
		out = append(out, master{
			name: pod.Name, ordinal: ordinal(pod.Name), ready: podReady(pod), ending: !pod.DeletionTimestamp.IsZero(),
			old: pod.Labels[appsv1.StatefulSetRevisionLabel] != set.Status.UpdateRevision,
		})
	}
	return out
}

// listMasters reads the masters' pods.
func (r *Reconciler) listMasters(ctx context.Context, s *scope) error {
	pods := &corev1.PodList{}
	selector := client.MatchingLabels(resources.PodSelector(s.cluster, v1alpha1.RoleMaster))
	if err := r.client.List(ctx, pods, client.InNamespace(s.cluster.Namespace), selector); err != nil {
		return fmt.Errorf("listing the masters' pods: %w", err)
	}
	s.masterPods = pods.Items
	s.leader = leaderOf(s.masterPods)
	return nil
}

// leaderOf returns the pod that the leader Service selects. For a moment after a
// leader's death there can be two, of which the dead one is not ready.
func leaderOf(pods []corev1.Pod) string {
	var names []string
	for i := range pods {
		if pods[i].Labels[v1alpha1.LabelLeader] == "true" && podReady(&pods[i]) {
			names = append(names, pods[i].Name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return slices.Min(names)
}
