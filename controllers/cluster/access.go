package cluster

import (
	"context"
	"errors"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/mesos-operator/mesos-operator/controllers/cluster/resources"
)

// reconcileAccess makes what must exist before the pods do: accounts, their
// rights, and the addresses by which masters and clients find one another.
func (r *Reconciler) reconcileAccess(ctx context.Context, s *scope) error {
	c, key, a := s.cluster, s.key(), r.applier
	service, err := apply[corev1.Service](ctx, a, key, resources.LeaderService(c))
	s.leaderService = service
	if s.group.listed == 0 {
		return err // The group phase told why: without it nobody can be listed.
	}
	return errors.Join(err,
		discard(apply[corev1.ServiceAccount](ctx, a, key, resources.MasterAccount(c))),
		discard(apply[corev1.ServiceAccount](ctx, a, key, resources.AgentAccount(c))),
		discard(apply[rbacv1.Role](ctx, a, key, resources.MasterRole(c, max(s.group.listed, s.group.pods)))),
		discard(apply[rbacv1.RoleBinding](ctx, a, key, resources.MasterRoleBinding(c))),
		discard(apply[corev1.ConfigMap](ctx, a, key, resources.PeersConfigMap(c, s.group.listed))),
		discard(apply[corev1.Service](ctx, a, key, resources.MastersService(c))),
		discard(apply[policyv1.PodDisruptionBudget](ctx, a, key, resources.MasterDisruptionBudget(c))))
}

// discard drops a child that nobody needs to look at.
func discard[P any](_ P, err error) error { return err }
