package cluster

import (
	"context"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/mesos-operator/mesos-operator/api/v1alpha1"
	"github.com/mesos-operator/mesos-operator/controllers/cluster/resources"
)

// retirePool takes a pool's nodes back, a step at a pass. The DaemonSets are the
// only memory of how far it has come:
//
//  1. the agents' DaemonSet is deleted, and kept by its finalizer;
//  2. once its pods are gone, a clean-up DaemonSet visits the same nodes;
//  3. once that is ready on all of them, the agents' DaemonSet is let go;
//  4. once that is gone, so is the clean-up's.
func (r *Reconciler) retirePool(ctx context.Context, s *scope, name string, sets poolSets) error {
	switch agent := sets.agent; {
	case agent == nil && sets.cleanup == nil:
		return nil
	case agent == nil:
		s.pools = append(s.pools, poolOf(name, v1alpha1.PoolCleaning, sets.cleanup))
		return r.remove(ctx, sets.cleanup)
	case !terminating(agent):
		s.pools = append(s.pools, poolOf(name, v1alpha1.PoolDraining, agent))
		r.tell(s.cluster, "PoolDraining", "Stop", "stopping the agents of pool %s", name)
		return r.remove(ctx, agent)
	case podsRemain(agent):
		s.pools = append(s.pools, poolOf(name, v1alpha1.PoolDraining, agent))
		return nil
	default:
		return r.cleanPool(ctx, s, name, sets)
	}
}

// cleanPool is steps 2 and 3.
func (r *Reconciler) cleanPool(ctx context.Context, s *scope, name string, sets poolSets) error {
	if s.cluster.Annotations[v1alpha1.AnnotationSkipCleanup] == "true" {
		s.pools = append(s.pools, poolOf(name, v1alpha1.PoolCleaning, sets.cleanup))
		r.warn(s.cluster, "CleanupSkipped", "Clean", "not waiting for the nodes of pool %s to be clean: annotation %s", name, v1alpha1.AnnotationSkipCleanup)
		return r.release(ctx, sets.agent)
	}
	cleanup, err := apply[appsv1.DaemonSet](ctx, r.applier, s.key(), resources.CleanupDaemonSet(s.cluster, sets.agent))
	if apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		// Nothing can be made in a namespace that is going: to insist would keep it for ever.
		r.warn(s.cluster, "CleanupImpossible", "Clean", "the nodes of pool %s can't be cleaned: the namespace is being deleted", name)
		s.pools = append(s.pools, poolOf(name, v1alpha1.PoolCleaning, sets.cleanup))
		return r.release(ctx, sets.agent)
	}
	if err != nil {
		s.pools = append(s.pools, poolOf(name, v1alpha1.PoolCleaning, sets.cleanup))
		return err
	}
	s.pools = append(s.pools, poolOf(name, v1alpha1.PoolCleaning, cleanup))
	if !cleaned(cleanup) {
		return nil
	}
	r.tell(s.cluster, "PoolCleaned", "Clean", "%d nodes of pool %s are clean", cleanup.Status.NumberReady, name)
	return r.release(ctx, sets.agent)
}

// cleaned tells whether a clean-up has been everywhere.
func cleaned(cleanup *appsv1.DaemonSet) bool {
	return !terminating(cleanup) && rolledOut(cleanup) &&
		cleanup.Status.NumberReady >= cleanup.Status.DesiredNumberScheduled
}

// podsRemain tells whether the garbage collector is still removing the pods of a
// DaemonSet that was deleted in the foreground.
func podsRemain(set *appsv1.DaemonSet) bool {
	return slices.Contains(set.Finalizers, metav1.FinalizerDeleteDependents)
}

// remove deletes an object, which stays until its pods are gone.
func (r *Reconciler) remove(ctx context.Context, object client.Object) error {
	if !object.GetDeletionTimestamp().IsZero() {
		return nil
	}
	uid := object.GetUID()
	err := r.client.Delete(ctx, object,
		client.PropagationPolicy(metav1.DeletePropagationForeground),
		client.Preconditions{UID: &uid})
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("deleting %s: %w", object.GetName(), err)
	}
	return nil
}

// release lets a deleted DaemonSet go once its pods are gone.
func (r *Reconciler) release(ctx context.Context, set *appsv1.DaemonSet) error {
	if podsRemain(set) {
		return nil
	}
	before := set.DeepCopy()
	if !controllerutil.RemoveFinalizer(set, v1alpha1.FinalizerCleanup) {
		return nil
	}
	return r.patchFinalizers(ctx, set, before)
}
