package cluster

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mesos-operator/mesos-operator/api/v1alpha1"
	"github.com/mesos-operator/mesos-operator/controllers/cluster/resources"
)

// retryMasters is when to look again at masters whose next step no watch announces.
const retryMasters = 2 * time.Second

// reconcileGroup decides how many masters there are to be from now on. The phases after
// it make it so: the list of peers, the StatefulSet.
func (r *Reconciler) reconcileGroup(ctx context.Context, s *scope) error {
	g, err := r.readGroup(ctx, s, r.client)
	if err == nil && (!g.settled() || s.cluster.Generation != s.cluster.Status.ObservedGeneration) {
		// What the cache doesn't show yet must not be decided on again.
		g, err = r.readGroup(ctx, s, r.reader)
	}
	if err != nil {
		return err
	}
	next := g.next()
	if next.pods < g.pods {
		next = r.confirm(ctx, s, g)
	}
	if next.clear {
		if left, err := r.removeClaims(ctx, s, g.listed); err != nil || left > 0 {
			next = step{listed: g.listed, pods: g.pods, doing: fmt.Sprintf("waiting for %d claims of former masters to go", left)}
			s.failed(err)
		}
	}
	if next.listed != g.listed && g.listed > 0 {
		r.tell(s.cluster, v1alpha1.ReasonScalingMasters, "Scale", "the masters become %d, of %d", next.listed, g.listed)
	}
	g.listed, g.pods = next.listed, next.pods
	s.group, s.scaling = g, next.doing
	if s.scaling != "" {
		s.again(retryMasters)
	}
	return nil
}

// confirm asks the leading master itself before pods go for good: its last answer may be
// from before the list changed.
func (r *Reconciler) confirm(ctx context.Context, s *scope, g group) step {
	state, err := r.leaders.Ask(ctx, s.key())
	if err != nil {
		g.votes = 0
	} else {
		g.votes, g.current, g.read = state.Votes, state.Current, state.Listed
	}
	return g.next()
}

// readGroup gathers what the API server and the leading master say of the group.
func (r *Reconciler) readGroup(ctx context.Context, s *scope, from client.Reader) (group, error) {
	g := group{wanted: s.cluster.Spec.Masters.Replicas, leader: -1}
	peers, masters := &corev1.ConfigMap{}, &appsv1.StatefulSet{}
	at := client.ObjectKey{Namespace: s.cluster.Namespace, Name: resources.PeersName(s.cluster)}
	if err := from.Get(ctx, at, peers); client.IgnoreNotFound(err) != nil {
		return g, fmt.Errorf("reading the list of masters: %w", err)
	}
	at.Name = resources.MasterName(s.cluster)
	if err := from.Get(ctx, at, masters); client.IgnoreNotFound(err) != nil {
		return g, fmt.Errorf("reading the masters' StatefulSet: %w", err)
	}
	g.listed, g.ready = resources.Members(peers), masters.Status.ReadyReplicas
	if masters.Spec.Replicas != nil {
		g.pods = *masters.Spec.Replicas
	}
	if g.listed == 0 {
		var err error
		if g.listed, err = r.former(ctx, s, g.pods); err != nil {
			return g, err
		}
	}
	g.leader = ordinal(s.leader)
	if last, ok := r.leaders.Last(s.key()); ok && last.Failure == "" {
		g.votes, g.current, g.read = last.State.Votes, last.State.Current, last.State.Listed
	}
	return g, nil
}

// former is the size of a group that exists although nothing lists it: the list was
// deleted, or the claims of an earlier MesosCluster were retained.
func (r *Reconciler) former(ctx context.Context, s *scope, pods int32) (int32, error) {
	if pods > 0 {
		return pods, nil
	}
	claims, err := r.claims(ctx, s)
	if err != nil {
		return 0, err
	}
	size := int32(0)
	for _, claim := range claims {
		size = max(size, ordinal(claim.Name)+1)
	}
	if size <= s.cluster.Spec.Masters.Replicas {
		return 0, nil // Those who are missing are made, and wait to be added.
	}
	return size, nil
}

func (r *Reconciler) claims(ctx context.Context, s *scope) ([]corev1.PersistentVolumeClaim, error) {
	list := &corev1.PersistentVolumeClaimList{}
	selector := client.MatchingLabels(resources.PodSelector(s.cluster, v1alpha1.RoleMaster))
	if err := r.reader.List(ctx, list, client.InNamespace(s.cluster.Namespace), selector); err != nil {
		return nil, fmt.Errorf("listing the masters' claims: %w", err)
	}
	return list.Items, nil
}

// removeClaims deletes the claims of masters that are no members, and returns how many
// there still are. A master that joined with the registry of a former member would
// believe to be in the group that was: two of them could outvote the one that is.
func (r *Reconciler) removeClaims(ctx context.Context, s *scope, members int32) (left int, err error) {
	claims, err := r.claims(ctx, s)
	if err != nil {
		return 0, err
	}
	for i := range claims {
		claim := &claims[i]
		if o := ordinal(claim.Name); o < members || claim.Name != resources.MasterClaimName(s.cluster, o) {
			continue
		}
		left++
		if !claim.DeletionTimestamp.IsZero() {
			continue
		}
		if err := r.client.Delete(ctx, claim); client.IgnoreNotFound(err) != nil {
			return left, fmt.Errorf("deleting claim %s: %w", claim.Name, err)
		}
	}
	return left, nil
}

// sweepClaims deletes the claims of masters that have left, once their pods are gone. The
// applier remembers for which size of the group that has been done.
func (r *Reconciler) sweepClaims(ctx context.Context, s *scope) error {
	done := applied{version: strconv.Itoa(int(s.group.listed))}
	switch {
	case !s.group.settled() || s.masters == nil || s.masters.Status.Replicas != s.group.pods:
		return nil
	case s.group.votes != s.group.listed || r.applier.recall(s.key(), sweptClaims) == done:
		return nil
	}
	left, err := r.removeClaims(ctx, s, s.group.listed)
	if err == nil && left == 0 {
		r.applier.remember(s.key(), sweptClaims, done)
	} else {
		s.again(retryMasters)
	}
	return err
}

var sweptClaims = child{kind: "PersistentVolumeClaim"}

// tellMembers makes the kubelets write the list of peers anew for masters that run.
func (r *Reconciler) tellMembers(ctx context.Context, s *scope) error {
	members := strconv.Itoa(int(s.group.listed))
	for i := range s.masterPods {
		pod := &s.masterPods[i]
		if pod.Annotations[v1alpha1.AnnotationMembers] == members || !pod.DeletionTimestamp.IsZero() {
			continue
		}
		before := pod.DeepCopy()
		if pod.Annotations == nil {
			pod.Annotations = map[string]string{}
		}
		pod.Annotations[v1alpha1.AnnotationMembers] = members
		if err := r.client.Patch(ctx, pod, client.MergeFrom(before)); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("telling pod %s of the list of masters: %w", pod.Name, err)
		}
	}
	return nil
}

// ordinal is the number at the end of a pod's or claim's name; -1 if there is none.
func ordinal(name string) int32 {
	at := strings.LastIndexByte(name, '-')
	n, err := strconv.ParseInt(name[at+1:], 10, 32)
	if at < 0 || err != nil {
		return -1
	}
	return int32(n)
}
