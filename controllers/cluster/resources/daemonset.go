package resources

import (
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"

	"github.com/mesos-operator/mesos-operator/api/v1alpha1"
)

const (
	agentContainer = "agentd"
	cgroupMount    = "/sys/fs/cgroup"
)

// AgentDaemonSet runs the agents of a pool.
//
// Its finalizer keeps it after its deletion, as the record of which nodes the
// clean-up has to visit and what it has to remove there. Regions: its agents are told
// their fault domains, which masters without one refuse.
func AgentDaemonSet(c *v1alpha1.MesosCluster, d Defaults, pool v1alpha1.AgentPool, regions bool) *appsv1ac.DaemonSetApplyConfiguration {
	annotations := scraped(strconv.Itoa(int(pool.Port)))
	facts := nodeFacts(d, pool, regions)
	if facts != nil {
		annotations[AnnotationNodeFactsWanted] = facts.annotation()
	}
	return appsv1ac.DaemonSet(AgentName(c, pool.Name), c.Namespace).
		WithLabels(labels(c, v1alpha1.RoleAgent, pool.Name)).
		WithFinalizers(v1alpha1.FinalizerCleanup).
		WithOwnerReferences(ownerReference(c)).
		WithSpec(appsv1ac.DaemonSetSpec().
			WithUpdateStrategy(agentUpdates(pool)).
			WithSelector(metav1ac.LabelSelector().
				WithMatchLabels(selector(c, v1alpha1.RoleAgent, pool.Name))).
			WithTemplate(corev1ac.PodTemplateSpec().
				WithLabels(labels(c, v1alpha1.RoleAgent, pool.Name)).
				WithAnnotations(annotations).
				WithSpec(agentPod(c, d, pool, facts))))
}

// agentUpdates replaces pods: tasks live outside of them.
func agentUpdates(pool v1alpha1.AgentPool) *appsv1ac.DaemonSetUpdateStrategyApplyConfiguration {
	unavailable := intstr.FromInt32(1)
	if pool.MaxUnavailable != nil {
		unavailable = *pool.MaxUnavailable
	}
	return appsv1ac.DaemonSetUpdateStrategy().
		WithType(appsv1.RollingUpdateDaemonSetStrategyType).
		WithRollingUpdate(appsv1ac.RollingUpdateDaemonSet().WithMaxUnavailable(unavailable))
}

// agentPod shares the node's pid and network namespaces: tasks must not end with
// the pod's pid namespace, and are reached at the ports that the agent offers.
func agentPod(c *v1alpha1.MesosCluster, d Defaults, pool v1alpha1.AgentPool, facts *NodeFacts) *corev1ac.PodSpecApplyConfiguration {
	pod := corev1ac.PodSpec().
		WithServiceAccountName(AgentAccountName(c)).
		WithAutomountServiceAccountToken(ReviewsTokens(c)).
		WithEnableServiceLinks(false).
		WithHostPID(true).
		WithHostNetwork(true).
		WithDNSPolicy(corev1.DNSClusterFirstWithHostNet).
		WithTerminationGracePeriodSeconds(15).
		WithContainers(agentd(c, d, pool, facts)).
		WithVolumes(
			hostPath("work", nodePath(workRoot, c, pool.Name), corev1.HostPathDirectoryOrCreate),
			hostPath("run", nodePath(runtimeRoot, c, pool.Name), corev1.HostPathDirectoryOrCreate),
			hostPath("cgroup", cgroupMount, corev1.HostPathDirectory))
	volumes, _ := secretVolumes(pool)
	pod.WithVolumes(volumes...)
	if facts != nil {
		pod.WithSchedulingGates(corev1ac.PodSchedulingGate().WithName(NodeFactsGate))
	}
	place(pod, pool.Placement)
	pullSecrets(pod, c.Spec.Images.PullSecrets)
	return pod
}

func agentd(c *v1alpha1.MesosCluster, d Defaults, pool v1alpha1.AgentPool, facts *NodeFacts) *corev1ac.ContainerApplyConfiguration {
	requests, limits := agentReservation(pool.Resources)
	_, secrets := secretVolumes(pool)
	out := container(c, agentContainer, d.agentImage(c)).
		WithArgs(agentArgs(c, pool, facts)...).
		WithEnv(
			fromField("NODE_NAME", "spec.nodeName"),
			fromField("HOST_IP", "status.hostIP")).
		// The host port keeps two agents with one port off one node.
		WithPorts(containerPort("http", pool.Port).WithHostPort(pool.Port)).
		WithResources(corev1ac.ResourceRequirements().WithRequests(requests).WithLimits(limits)).
		WithSecurityContext(corev1ac.SecurityContext().WithPrivileged(true).WithRunAsUser(0)).
		// Recovery reads every checkpoint of the node before it is over.
		WithStartupProbe(health("http", 1, 300)).
		WithReadinessProbe(health("http", 2, 3)).
		WithLivenessProbe(health("http", 10, 6)).
		WithVolumeMounts(
			shared("work", nodePath(workRoot, c, pool.Name)),
			shared("run", nodePath(runtimeRoot, c, pool.Name)),
			corev1ac.VolumeMount().WithName("cgroup").WithMountPath(cgroupMount)).
		WithVolumeMounts(secrets...)
	if facts != nil {
		out.WithEnv(
			fromField(envNodeAttributes, "metadata.annotations['"+AnnotationNodeAttributes+"']"),
			fromField(envNodeDomain, "metadata.annotations['"+AnnotationNodeDomain+"']"))
	}
	return out
}

// agentReservation is what the agent's pod takes from Kubernetes's scheduler: all
// that the agent offers. Equal limits for cpu and memory make the pod Guaranteed,
// which keeps the kernel's and the kubelet's out-of-memory choices away from it.
func agentReservation(r v1alpha1.AgentResources) (requests, limits corev1.ResourceList) {
	requests = corev1.ResourceList{
		corev1.ResourceCPU:    r.CPU,
		corev1.ResourceMemory: r.Memory,
	}
	limits = requests.DeepCopy()
	if !r.EphemeralStorage.IsZero() {
		requests[corev1.ResourceEphemeralStorage] = r.EphemeralStorage
	}
	return requests, limits
}

func hostPath(name, path string, kind corev1.HostPathType) *corev1ac.VolumeApplyConfiguration {
	return corev1ac.Volume().WithName(name).WithHostPath(
		corev1ac.HostPathVolumeSource().WithPath(path).WithType(kind))
}

// shared mounts a volume at the path that it has on the node, and lets mounts made
// below it reach the node: tasks there must see the same files under the same names.
func shared(name, path string) *corev1ac.VolumeMountApplyConfiguration {
	return corev1ac.VolumeMount().
		WithName(name).
		WithMountPath(path).
		WithMountPropagation(corev1.MountPropagationBidirectional)
}
