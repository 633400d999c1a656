package resources

import (
	rbacv1 "k8s.io/api/rbac/v1"
	rbacv1ac "k8s.io/client-go/applyconfigurations/rbac/v1"

	"github.com/mesos-operator/mesos-operator/api/v1alpha1"
)

// MasterRole lets so many masters label their own pods with who leads, and no other pod.
func MasterRole(c *v1alpha1.MesosCluster, masters int32) *rbacv1ac.RoleApplyConfiguration {
	pods := make([]string, 0, masters)
	for ordinal := range masters {
		pods = append(pods, MasterPodName(c, ordinal))
	}
	return rbacv1ac.Role(MasterName(c), c.Namespace).
		WithLabels(labels(c, v1alpha1.RoleMaster, "")).
		WithOwnerReferences(ownerReference(c)).
		WithRules(rbacv1ac.PolicyRule().
			WithAPIGroups("").
			WithResources("pods").
			WithResourceNames(pods...).
			WithVerbs("get", "patch"))
}

// MasterRoleBinding gives the masters their Role.
func MasterRoleBinding(c *v1alpha1.MesosCluster) *rbacv1ac.RoleBindingApplyConfiguration {
	return rbacv1ac.RoleBinding(MasterName(c), c.Namespace).
		WithLabels(labels(c, v1alpha1.RoleMaster, "")).
		WithOwnerReferences(ownerReference(c)).
		WithRoleRef(rbacv1ac.RoleRef().
			WithAPIGroup(rbacv1.GroupName).
			WithKind("Role").
			WithName(MasterName(c))).
		WithSubjects(rbacv1ac.Subject().
			WithKind(rbacv1.ServiceAccountKind).
			WithName(MasterName(c)).
			WithNamespace(c.Namespace))
}
