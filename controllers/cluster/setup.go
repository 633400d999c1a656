package cluster

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/mesos-operator/mesos-operator/api/v1alpha1"
	"github.com/mesos-operator/mesos-operator/controllers/cluster/resources"
)

// SetupWithManager registers the Reconciler, to be woken by changes of a
// MesosCluster's spec, of its children, of its masters' pods, and of what its
// leading master answers.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager, changed <-chan event.GenericEvent, workers int) error {
	return ctrl.NewControllerManagedBy(mgr).
		Named("mesoscluster").
		For(&v1alpha1.MesosCluster{}, builder.WithPredicates(predicate.Or(
			predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{}))).
		Owns(&appsv1.StatefulSet{}).
		Owns(&appsv1.DaemonSet{}).
		Owns(&corev1.Service{}).
		Owns(&corev1.ServiceAccount{}).
		Owns(&corev1.ConfigMap{}).
		Owns(&policyv1.PodDisruptionBudget{}).
		Owns(&rbacv1.Role{}).
		Owns(&rbacv1.RoleBinding{}).
		Watches(&corev1.Pod{}, handler.EnqueueRequestsFromMapFunc(clusterOf), builder.WithPredicates(ofMasters(), leadership())).
		WatchesRawSource(source.Channel(changed, &handler.EnqueueRequestForObject{})).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers}).
		Complete(r)
}

// CacheByObject keeps the manager's caches to what the operator itself made, and of pods
// and nodes to what is looked at: on a large Kubernetes the rest is not ours to hold.
func CacheByObject() map[client.Object]cache.ByObject {
	own := cache.ByObject{Label: labels.SelectorFromSet(labels.Set{resources.ManagedByLabel: resources.FieldOwner})}
	out := map[client.Object]cache.ByObject{
		&corev1.Pod{}:  {Label: own.Label, Transform: lean},
		&corev1.Node{}: {Transform: lean},
	}
	for _, kind := range []client.Object{
		&appsv1.StatefulSet{}, &appsv1.DaemonSet{}, &corev1.Service{}, &corev1.ServiceAccount{},
		&corev1.ConfigMap{}, &policyv1.PodDisruptionBudget{}, &rbacv1.Role{}, &rbacv1.RoleBinding{},
	} {
		out[kind] = own
	}
	return out
}

// lean keeps of pods and nodes what the controllers look at. What is written is patches of
// that, so nothing is lost.
func lean(in any) (any, error) {
	if object, ok := in.(metav1.Object); ok {
		object.SetManagedFields(nil)
	}
	switch object := in.(type) {
	case *corev1.Pod:
		spec := corev1.PodSpec{NodeName: object.Spec.NodeName, SchedulingGates: object.Spec.SchedulingGates}
		if object.Spec.Affinity != nil {
			spec.Affinity = &corev1.Affinity{NodeAffinity: object.Spec.Affinity.NodeAffinity}
		}
		object.Spec = spec
		object.Status = corev1.PodStatus{Phase: object.Status.Phase, Conditions: object.Status.Conditions}
	case *metav1.PartialObjectMetadata: // of a Node
		object.Annotations = nil
	}
	return in, nil
}

// clusterOf finds a pod's cluster by its label, as its owner is the StatefulSet.
func clusterOf(_ context.Context, pod client.Object) []reconcile.Request {
	name := pod.GetLabels()[v1alpha1.LabelCluster]
	if name == "" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: pod.GetNamespace(), Name: name}}}
}

// ofMasters passes pods of masters: of agents the DaemonSets tell enough.
func ofMasters() predicate.Predicate {
	return predicate.NewPredicateFuncs(func(pod client.Object) bool {
		return pod.GetLabels()[v1alpha1.LabelRole] == v1alpha1.RoleMaster
	})
}

// leadership passes only what can change who leads.
func leadership() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, ok := e.ObjectOld.(*corev1.Pod)
		after, ok2 := e.ObjectNew.(*corev1.Pod)
		if !ok || !ok2 {
			return false
		}
		return before.Labels[v1alpha1.LabelLeader] != after.Labels[v1alpha1.LabelLeader] ||
			podReady(before) != podReady(after)
	}}
}
