package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mesos-operator/mesos-operator/controllers/cluster/resources"
)

// Daemons that are shown tokens ask the API server whose they are, which takes a right
// that no namespace can give. One ClusterRoleBinding, installed with the operator, lists
// the accounts that have it; the operator may change that one and no other, and needs no
// right to make or delete any.

// ErrNoReviewers means that the operator was installed without the binding.
var ErrNoReviewers = errors.New("spec.authentication.serviceAccounts: the operator runs without --token-reviewers, so masters and agents may not review tokens")

// reconcileReviewers lists a cluster's accounts in the binding if they need to be
// there, and only then.
func (r *Reconciler) reconcileReviewers(ctx context.Context, s *scope) error {
	wanted := resources.ReviewsTokens(s.cluster) && !s.deleting()
	switch {
	case wanted && r.tokenReviewers == "":
		return ErrNoReviewers
	case !wanted && (r.tokenReviewers == "" || r.applier.recall(s.key(), reviewers) == unlisted):
		return nil
	}
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error { return r.list(ctx, s, wanted) })
	switch {
	case err != nil && !wanted && (apierrors.IsNotFound(err) || apierrors.IsForbidden(err)):
		// Installed without it: then there is nothing to take away either.
	case err != nil:
		return fmt.Errorf("changing who may review tokens, in ClusterRoleBinding %s: %w", r.tokenReviewers, err)
	}
	if !wanted {
		r.applier.remember(s.key(), reviewers, unlisted)
	} else {
		r.applier.remember(s.key(), reviewers, applied{})
	}
	return nil
}

// reviewers is what the applier remembers of the binding by: that a cluster is not in it.
var (
	reviewers = child{kind: "ClusterRoleBinding"}
	unlisted  = applied{version: "unlisted"}
)

// list puts a cluster's accounts into the binding, or takes them out. What others have put
// there stays.
func (r *Reconciler) list(ctx context.Context, s *scope, wanted bool) error {
	binding := &rbacv1.ClusterRoleBinding{}
	if err := r.reader.Get(ctx, client.ObjectKey{Name: r.tokenReviewers}, binding); err != nil {
		return err
	}
	before := binding.DeepCopy()
	for _, account := range resources.Reviewers(s.cluster) {
		at := slices.Index(binding.Subjects, account)
		switch {
		case wanted && at < 0:
			binding.Subjects = append(binding.Subjects, account)
		case !wanted && at >= 0:
			binding.Subjects = slices.Delete(binding.Subjects, at, at+1)
		}
	}
	if slices.Equal(binding.Subjects, before.Subjects) {
		return nil
	}
	return r.client.Patch(ctx, binding, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
}

// revokeReviews is the last step of deletion but for the finalizer.
func (r *Reconciler) revokeReviews(ctx context.Context, s *scope) (bool, error) {
	err := r.reconcileReviewers(ctx, s)
	return err == nil, err
}
