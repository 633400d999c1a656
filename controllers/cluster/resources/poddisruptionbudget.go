package resources

import (
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	policyv1ac "k8s.io/client-go/applyconfigurations/policy/v1"

	"github.com/mesos-operator/mesos-operator/api/v1alpha1"
)

// MasterDisruptionBudget lets Kubernetes evict one master at a time. With one
// master that is all of them: refusing would only make its node undrainable.
func MasterDisruptionBudget(c *v1alpha1.MesosCluster) *policyv1ac.PodDisruptionBudgetApplyConfiguration {
	return policyv1ac.PodDisruptionBudget(MasterName(c), c.Namespace).
		WithLabels(labels(c, v1alpha1.RoleMaster, "")).
		WithOwnerReferences(ownerReference(c)).
		WithSpec(policyv1ac.PodDisruptionBudgetSpec().
			WithMaxUnavailable(intstr.FromInt32(1)).
			// A master that isn't ready serves nobody, and must not keep its node from being drained.
			WithUnhealthyPodEvictionPolicy(policyv1.AlwaysAllow).
			WithSelector(metav1ac.LabelSelector().
				WithMatchLabels(selector(c, v1alpha1.RoleMaster, ""))))
}
