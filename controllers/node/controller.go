package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/mesos-operator/mesos-operator/api/v1alpha1"
	"github.com/mesos-operator/mesos-operator/controllers/cluster/resources"
)

// What the operator may do about pods is said by package cluster; that it may read Nodes,
// which are of no namespace, by config/rbac/node_labels.yaml.

// retry is when to look again whether one more agent may be away.
const retry = 5 * time.Second

// Config is what a Reconciler needs.
type Config struct {
	// Client reads from the manager's cache and writes to the API server.
	Client client.Client
	// Recorder records events on DaemonSets.
	Recorder events.EventRecorder
}

// Validate reports what is missing.
func (c Config) Validate() error {
	if c.Client == nil || c.Recorder == nil {
		return errors.New("node controller: client and recorder are required")
	}
	return nil
}

// Reconciler tells one agent's pod of its node, or replaces it, at a call. Calls must not
// overlap, as they count how many agents are away.
type Reconciler struct {
	client   client.Client
	recorder events.EventRecorder
	evicted  map[types.UID]bool // pods that the cache may still show as ready
}

// New makes a Reconciler.
func New(c Config) (*Reconciler, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return &Reconciler{client: c.Client, recorder: c.Recorder, evicted: map[types.UID]bool{}}, nil
}

// Reconcile makes one pass over an agent's pod.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	pod := &corev1.Pod{}
	if err := r.client.Get(ctx, request.NamespacedName, pod); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	facts, wanted, err := resources.FactsOf(pod.Annotations)
	if err != nil || !wanted || !pod.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, err
	}
	node := &metav1.PartialObjectMetadata{}
	node.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Node"))
	name := nodeOf(pod)
	if err := r.client.Get(ctx, types.NamespacedName{Name: name}, node); err != nil {
		if apierrors.IsNotFound(err) {
			return ctrl.Result{}, nil // It comes by a watch, or the pod goes with it.
		}
		return ctrl.Result{}, fmt.Errorf("reading node %s: %w", name, err)
	}
	attributes, domain := facts.Of(node.Labels)
	switch {
	case gated(pod):
		return ctrl.Result{}, r.release(ctx, pod, attributes, domain)
	case outdated(pod, attributes, domain):
		return r.replace(ctx, pod, name)
	}
	return ctrl.Result{}, nil
}

func (r *Reconciler) release(ctx context.Context, pod *corev1.Pod, attributes, domain string) error {
	before := pod.DeepCopy()
	release(pod, attributes, domain)
	err := r.client.Patch(ctx, pod, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("telling agent %s of its node: %w", pod.Name, err)
	}
	log.FromContext(ctx).V(1).Info("told an agent of its node", "pod", pod.Name, "attributes", attributes, "domain", domain)
	return nil
}

// replace evicts a pod whose node has changed, if one more agent of its pool may be away.
func (r *Reconciler) replace(ctx context.Context, pod *corev1.Pod, node string) (ctrl.Result, error) {
	owner := metav1.GetControllerOf(pod)
	if owner == nil || owner.Kind != "DaemonSet" {
		return ctrl.Result{}, nil
	}
	set, pods := &appsv1.DaemonSet{}, &corev1.PodList{}
	at := types.NamespacedName{Namespace: pod.Namespace, Name: owner.Name}
	if err := r.client.Get(ctx, at, set); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	same := client.MatchingLabels{
		v1alpha1.LabelCluster: pod.Labels[v1alpha1.LabelCluster],
		v1alpha1.LabelPool:    pod.Labels[v1alpha1.LabelPool], v1alpha1.LabelRole: v1alpha1.RoleAgent,
	}
	if err := r.client.List(ctx, pods, client.InNamespace(pod.Namespace), same); err != nil {
		return ctrl.Result{}, fmt.Errorf("listing the agents beside %s: %w", pod.Name, err)
	}
	r.prune(pods.Items)
	if r.evicted[pod.UID] || !mayReplace(set, pods.Items, r.evicted) {
		return ctrl.Result{RequeueAfter: retry}, nil
	}
	eviction := &policyv1.Eviction{DeleteOptions: &metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &pod.UID}}}
	err := r.client.SubResource("eviction").Create(ctx, pod, eviction)
	switch {
	case err == nil:
		r.evicted[pod.UID] = true
		r.recorder.Eventf(set, pod, corev1.EventTypeNormal, "NodeLabelsChanged", "ReplaceAgent", "replacing %s: the labels of node %s have changed", pod.Name, node)
	case apierrors.IsTooManyRequests(err): // Somebody's disruption budget.
		return ctrl.Result{RequeueAfter: retry}, nil
	case !apierrors.IsNotFound(err) && !apierrors.IsConflict(err):
		return ctrl.Result{}, fmt.Errorf("replacing agent %s: %w", pod.Name, err)
	}
	return ctrl.Result{}, nil
}

// prune forgets pods that the cache shows as ending: they count by themselves then. Those
// that are gone altogether are few, and forgotten when there are many.
func (r *Reconciler) prune(pods []corev1.Pod) {
	for i := range pods {
		if !pods[i].DeletionTimestamp.IsZero() {
			delete(r.evicted, pods[i].UID)
		}
	}
	const many = 10_000
	if len(r.evicted) > many {
		clear(r.evicted)
	}
}
