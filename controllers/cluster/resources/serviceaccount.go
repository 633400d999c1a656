package resources

import (
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/mesos-operator/mesos-operator/api/v1alpha1"
)

// MasterAccount is the ServiceAccount of the masters.
func MasterAccount(c *v1alpha1.MesosCluster) *corev1ac.ServiceAccountApplyConfiguration {
	return account(c, MasterName(c), v1alpha1.RoleMaster)
}

// AgentAccount is the ServiceAccount of the agents and of their clean-up, which
// speak to the node and to the masters. The agents speak to the API server only if
// they have tokens to ask about.
func AgentAccount(c *v1alpha1.MesosCluster) *corev1ac.ServiceAccountApplyConfiguration {
	return account(c, AgentAccountName(c), v1alpha1.RoleAgent)
}

func account(c *v1alpha1.MesosCluster, name, role string) *corev1ac.ServiceAccountApplyConfiguration {
	return corev1ac.ServiceAccount(name, c.Namespace).
		WithLabels(labels(c, role, "")).
		WithOwnerReferences(ownerReference(c)).
		WithAutomountServiceAccountToken(false)
}
