package resources

import (
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/mesos-operator/mesos-operator/api/v1alpha1"
)

// Access lists what must exist before the pods do: accounts, their rights, and addresses.
func Access(c *v1alpha1.MesosCluster) []runtime.ApplyConfiguration {
	return []runtime.ApplyConfiguration{
		MasterAccount(c),
		AgentAccount(c),
		MasterRole(c),
		MasterRoleBinding(c),
		PeersConfigMap(c),
		MastersService(c),
		LeaderService(c),
		MasterDisruptionBudget(c),
	}
}
