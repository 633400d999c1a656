package cluster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/mesos-operator/mesos-operator/api/v1alpha1"
	"github.com/mesos-operator/mesos-operator/controllers/cluster/resources"
)

// reconcileDeletion takes a cluster down in the order in which its parts need one
// another: the nodes, the masters, the masters' claims. What is left hangs on
// the MesosCluster by owner references and goes with it.
func (r *Reconciler) reconcileDeletion(ctx context.Context, s *scope) error {
	for _, step := range []func(context.Context, *scope) (done bool, err error){
		r.retirePools,
		r.removeMasters,
		r.reclaimStorage,
		r.revokeReviews,
	} {
		if done, err := step(ctx, s); err != nil || !done {
			return err
		}
	}
	r.leaders.Forget(s.key())
	r.applier.forget(s.key())
	before := s.cluster.DeepCopy()
	controllerutil.RemoveFinalizer(s.cluster, v1alpha1.FinalizerCleanup)
	return r.patchFinalizers(ctx, s.cluster, before)
}

func (r *Reconciler) retirePools(ctx context.Context, s *scope) (bool, error) {
	sets, err := r.listPools(ctx, s)
	if err != nil {
		return false, err
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(sets)) {
		errs = append(errs, r.retirePool(ctx, s, name, sets[name]))
	}
	return len(sets) == 0, errors.Join(errs...)
}

func (r *Reconciler) removeMasters(ctx context.Context, s *scope) (bool, error) {
	masters := &appsv1.StatefulSet{}
	key := types.NamespacedName{Namespace: s.cluster.Namespace, Name: resources.MasterName(s.cluster)}
	if err := r.client.Get(ctx, key, masters); err != nil {
		if client.IgnoreNotFound(err) == nil {
			return true, nil
		}
		return false, fmt.Errorf("reading the masters' StatefulSet: %w", err)
	}
	if !metav1.IsControlledBy(masters, s.cluster) {
		return true, nil
	}
	s.masters = masters
	return false, r.remove(ctx, masters)
}

// reclaimStorage deletes the masters' claims, if the spec says so. Kubernetes
// protects them until the last pod that uses them is gone.
func (r *Reconciler) reclaimStorage(ctx context.Context, s *scope) (bool, error) {
	if s.cluster.Spec.Masters.Storage.Reclaim == v1alpha1.ReclaimRetain {
		return true, nil
	}
	claims := &corev1.PersistentVolumeClaimList{}
	selector := client.MatchingLabels(resources.PodSelector(s.cluster, v1alpha1.RoleMaster))
	if err := r.reader.List(ctx, claims, client.InNamespace(s.cluster.Namespace), selector); err != nil {
		return false, fmt.Errorf("listing the masters' claims: %w", err)
	}
	for i := range claims.Items {
		if err := r.client.Delete(ctx, &claims.Items[i]); client.IgnoreNotFound(err) != nil {
			return false, fmt.Errorf("deleting claim %s: %w", claims.Items[i].Name, err)
		}
	}
	return true, nil
}
