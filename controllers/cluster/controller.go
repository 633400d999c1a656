package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/mesos-operator/mesos-operator/api/v1alpha1"
	"github.com/mesos-operator/mesos-operator/controllers/cluster/leader"
	"github.com/mesos-operator/mesos-operator/controllers/cluster/resources"
)

// What the operator may do: its own resource, the kinds of children that it
// applies, the pods that its masters' Roles grant (nobody can grant what they may
// not do themselves), evictions of masters' and agents' pods that are to change, and the
// claims of masters that leave, alone or with their MesosCluster. What reviewers.go needs
// is in config/rbac/token_review.yaml, as it is about objects that are installed with the
// operator.
//
// +kubebuilder:rbac:groups=mesos.dev,resources=mesosclusters,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=mesos.dev,resources=mesosclusters/status,verbs=get;patch
// +kubebuilder:rbac:groups="",resources=configmaps;serviceaccounts;services,verbs=get;list;watch;create;patch
// +kubebuilder:rbac:groups="",resources=pods,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups="",resources=pods/eviction,verbs=create
// +kubebuilder:rbac:groups="",resources=persistentvolumeclaims,verbs=list;delete
// +kubebuilder:rbac:groups=apps,resources=statefulsets;daemonsets,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=policy,resources=poddisruptionbudgets,verbs=get;list;watch;create;patch
// +kubebuilder:rbac:groups=rbac.authorization.k8s.io,resources=roles;rolebindings,verbs=get;list;watch;create;patch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// Leaders tells what the leading masters last answered; package leader implements it.
type Leaders interface {
	Track(cluster types.NamespacedName, at leader.Target)
	Forget(cluster types.NamespacedName)
	Poke()
	Last(cluster types.NamespacedName) (leader.Observation, bool)
	Ask(ctx context.Context, cluster types.NamespacedName) (leader.State, error)
}

// Reconciler brings the world in line with MesosClusters, one at a call.
type Reconciler struct {
	client   client.Client
	reader   client.Reader
	leaders  Leaders
	recorder events.EventRecorder
	defaults resources.Defaults
	applier  *applier
	now      func() time.Time

	tokenReviewers string
}

// Config is what a Reconciler needs.
type Config struct {
	// Client reads from the manager's cache and writes to the API server.
	Client client.Client
	// Reader reads from the API server, for what is too rare to be cached.
	Reader client.Reader
	// Leaders tells what the leading masters last answered.
	Leaders Leaders
	// Recorder records events on MesosClusters.
	Recorder events.EventRecorder
	// Defaults fills in where a MesosCluster is silent.
	Defaults resources.Defaults
	// TokenReviewers names the ClusterRoleBinding of those who may review tokens.
	// Without it no cluster can have spec.authentication.serviceAccounts.
	TokenReviewers string
}

// Validate reports what is missing.
func (c Config) Validate() error {
	if c.Client == nil || c.Reader == nil || c.Leaders == nil || c.Recorder == nil {
		return errors.New("cluster controller: client, reader, leaders and recorder are required")
	}
	if err := c.Defaults.Validate(); err != nil {
		return fmt.Errorf("cluster controller: %w", err)
	}
	return nil
}

// New makes a Reconciler.
func New(c Config) (*Reconciler, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return &Reconciler{
		client: c.Client, reader: c.Reader, leaders: c.Leaders, recorder: c.Recorder, defaults: c.Defaults,
		applier: newApplier(c.Client), now: time.Now, tokenReviewers: c.TokenReviewers,
	}, nil
}

// Reconcile makes one pass over a MesosCluster.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (result ctrl.Result, err error) {
	cluster := &v1alpha1.MesosCluster{}
	if err := r.client.Get(ctx, request.NamespacedName, cluster); err != nil {
		if client.IgnoreNotFound(err) == nil {
			r.leaders.Forget(request.NamespacedName)
			return ctrl.Result{}, nil
		}
		return ctrl.Result{}, fmt.Errorf("reading the MesosCluster: %w", err)
	}
	if !cluster.DeletionTimestamp.IsZero() && !controllerutil.ContainsFinalizer(cluster, v1alpha1.FinalizerCleanup) {
		return ctrl.Result{}, nil // Nothing of ours is left; others' finalizers keep it.
	}
	// Before anything is made on a node, so that nothing can be left there.
	if err := r.ensureFinalizer(ctx, cluster); err != nil {
		return ctrl.Result{}, err
	}

	s := &scope{cluster: cluster}
	before := cluster.DeepCopy()
	defer func() { err = errors.Join(err, r.patchStatus(ctx, s, before)) }()

	for _, phase := range r.phases(s) {
		s.failed(phase(ctx, s))
	}
	return ctrl.Result{RequeueAfter: s.after}, s.err()
}

// phases to run, in order. Each runs even if one before it failed: a refused
// change of the masters is no reason to leave agents unattended.
func (r *Reconciler) phases(s *scope) []func(context.Context, *scope) error {
	if s.deleting() {
		return []func(context.Context, *scope) error{r.reconcileDeletion}
	}
	return []func(context.Context, *scope) error{
		r.listMasters,
		r.reconcileGroup,
		r.reconcileAccess,
		r.reconcileReviewers,
		r.reconcileMasters,
		r.reconcileAgents,
		r.observeLeader,
	}
}

func (r *Reconciler) ensureFinalizer(ctx context.Context, cluster *v1alpha1.MesosCluster) error {
	if !cluster.DeletionTimestamp.IsZero() {
		return nil
	}
	before := cluster.DeepCopy()
	if !controllerutil.AddFinalizer(cluster, v1alpha1.FinalizerCleanup) {
		return nil
	}
	return r.patchFinalizers(ctx, cluster, before)
}

// patchFinalizers fails on a conflict: a merge patch writes the whole list, and
// must not take away what somebody else has put there.
func (r *Reconciler) patchFinalizers(ctx context.Context, object, before client.Object) error {
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := r.client.Patch(ctx, object, patch); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("changing finalizers of %s: %w", object.GetName(), err)
	}
	return nil
}

// patchStatus writes what the pass found, if it is anything new, and tells of it.
func (r *Reconciler) patchStatus(ctx context.Context, s *scope, before *v1alpha1.MesosCluster) error {
	s.cluster.Status = statusOf(s, before.Status)
	if equality.Semantic.DeepEqual(before.Status, s.cluster.Status) {
		return nil
	}
	after := s.cluster.Status
	if err := r.client.Status().Patch(ctx, s.cluster, client.MergeFrom(before)); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("writing the status: %w", err)
	}
	log.FromContext(ctx).Info("status changed", "leader", after.Leader,
		"masters", after.Masters.Summary, "agents", after.Agents.Summary, "conditions", summary(after.Conditions))
	r.announce(s.cluster, before.Status, after)
	return nil
}
