package resources

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/mesos-operator/mesos-operator/api/v1alpha1"
)

// MastersService gives each master a DNS name, ready or not: masters must find
// one another before any of them can be ready.
func MastersService(c *v1alpha1.MesosCluster) *corev1ac.ServiceApplyConfiguration {
	return corev1ac.Service(MastersServiceName(c), c.Namespace).
		WithLabels(labels(c, v1alpha1.RoleMaster, "")).
		WithOwnerReferences(ownerReference(c)).
		WithSpec(corev1ac.ServiceSpec().
			WithType(corev1.ServiceTypeClusterIP).
			WithClusterIP(corev1.ClusterIPNone).
			WithPublishNotReadyAddresses(true).
			WithSelector(selector(c, v1alpha1.RoleMaster, "")).
			WithPorts(servicePort("http", MasterPort), servicePort("raft", RaftPort)))
}

// LeaderService is the one address of the cluster: its selector holds for the
// pod of the leading master only, which labels itself. Readiness still counts: it
// keeps a dead leader, whose label nobody has taken away yet, out of the way of
// its successor.
func LeaderService(c *v1alpha1.MesosCluster) *corev1ac.ServiceApplyConfiguration {
	exposure := c.Spec.Exposure
	port := servicePort("http", MasterPort)
	if exposure.NodePort != nil {
		port.WithNodePort(*exposure.NodePort)
	}
	spec := corev1ac.ServiceSpec().
		WithType(exposure.Type).
		WithSelector(leaderSelector(c)).
		WithPorts(port)
	if exposure.LoadBalancerClass != nil {
		spec.WithLoadBalancerClass(*exposure.LoadBalancerClass)
	}
	return corev1ac.Service(LeaderServiceName(c), c.Namespace).
		WithLabels(labels(c, v1alpha1.RoleMaster, "")).
		WithAnnotations(exposure.Annotations).
		WithOwnerReferences(ownerReference(c)).
		WithSpec(spec)
}

func servicePort(name string, port int32) *corev1ac.ServicePortApplyConfiguration {
	return corev1ac.ServicePort().
		WithName(name).
		WithProtocol(corev1.ProtocolTCP).
		WithPort(port).
		WithTargetPort(intstr.FromString(name))
}
