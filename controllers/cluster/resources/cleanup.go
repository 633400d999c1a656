package resources

import (
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"

	"github.com/mesos-operator/mesos-operator/api/v1alpha1"
)

// CleanupDaemonSet removes what the agents of a pool left on their nodes: a pod
// of it is ready once its node is clean. Agent is the pool's DaemonSet, as it was
// when its agents stopped; nodes and paths are taken from it, as the pool may have
// left the spec.
//
// The pods tolerate every taint: a node that was tainted after its agent
// started is no less dirty.
func CleanupDaemonSet(c *v1alpha1.MesosCluster, agent *appsv1.DaemonSet) *appsv1ac.DaemonSetApplyConfiguration {
	pool := agent.Labels[v1alpha1.LabelPool]
	return appsv1ac.DaemonSet(CleanupName(c, pool), c.Namespace).
		WithLabels(labels(c, v1alpha1.RoleCleanup, pool)).
		WithOwnerReferences(ownerReference(c)).
		WithSpec(appsv1ac.DaemonSetSpec().
			WithUpdateStrategy(appsv1ac.DaemonSetUpdateStrategy().
				WithType(appsv1.RollingUpdateDaemonSetStrategyType).
				WithRollingUpdate(appsv1ac.RollingUpdateDaemonSet().
					WithMaxUnavailable(intstr.FromString("100%")))).
			WithSelector(metav1ac.LabelSelector().
				WithMatchLabels(selector(c, v1alpha1.RoleCleanup, pool))).
			WithTemplate(corev1ac.PodTemplateSpec().
				WithLabels(labels(c, v1alpha1.RoleCleanup, pool)).
				WithSpec(cleanupPod(c, agent.Spec.Template.Spec))))
}

func cleanupPod(c *v1alpha1.MesosCluster, agent corev1.PodSpec) *corev1ac.PodSpecApplyConfiguration {
	pod := corev1ac.PodSpec().
		WithServiceAccountName(AgentAccountName(c)).
		WithAutomountServiceAccountToken(false).
		WithEnableServiceLinks(false).
		WithHostPID(true).
		WithTerminationGracePeriodSeconds(1).
		WithInitContainers(cleaner(agent)).
		WithContainers(cleaned(agent)).
		WithVolumes(
			hostPath("work", workRoot, corev1.HostPathDirectoryOrCreate),
			hostPath("run", runtimeRoot, corev1.HostPathDirectoryOrCreate),
			hostPath("cgroup", cgroupMount, corev1.HostPathDirectory))
	place(pod, v1alpha1.Placement{
		NodeSelector:      agent.NodeSelector,
		Affinity:          agent.Affinity,
		Tolerations:       []corev1.Toleration{{Operator: corev1.TolerationOpExists}},
		PriorityClassName: agent.PriorityClassName,
	})
	pullSecrets(pod, agent.ImagePullSecrets)
	return pod
}

// cleaner removes things, and can be run again at any point.
func cleaner(agent corev1.PodSpec) *corev1ac.ContainerApplyConfiguration {
	return cleanupContainer("clean", agent).
		WithArgs(cleanupArgs(agent)...).
		WithSecurityContext(corev1ac.SecurityContext().WithPrivileged(true).WithRunAsUser(0)).
		// The parents of what is removed: a mount can't be removed from inside it.
		WithVolumeMounts(
			shared("work", workRoot),
			shared("run", runtimeRoot),
			corev1ac.VolumeMount().WithName("cgroup").WithMountPath(cgroupMount))
}

// cleaned does nothing but make the pod ready, and needs no rights for it.
func cleaned(agent corev1.PodSpec) *corev1ac.ContainerApplyConfiguration {
	return cleanupContainer("done", agent).
		WithArgs("cleanup", "--wait").
		WithSecurityContext(corev1ac.SecurityContext().
			WithRunAsNonRoot(true).
			WithRunAsUser(nonRoot).
			WithReadOnlyRootFilesystem(true).
			WithAllowPrivilegeEscalation(false).
			WithCapabilities(corev1ac.Capabilities().WithDrop("ALL")))
}

// cleanupContainer has the agent's image, which is on the node already.
func cleanupContainer(name string, agent corev1.PodSpec) *corev1ac.ContainerApplyConfiguration {
	original := agentContainerOf(agent)
	out := corev1ac.Container().
		WithName(name).
		WithImage(original.Image).
		WithResources(corev1ac.ResourceRequirements().WithRequests(corev1.ResourceList{
			corev1.ResourceCPU:    resource.MustParse("10m"),
			corev1.ResourceMemory: resource.MustParse("32Mi"),
		}))
	if original.ImagePullPolicy != "" {
		out.WithImagePullPolicy(original.ImagePullPolicy)
	}
	return out
}

// cleanupArgs name what to remove, by the flags that the agents ran with.
func cleanupArgs(agent corev1.PodSpec) []string {
	args := []string{"cleanup"}
	for _, name := range []string{flagWorkDir, flagRuntimeDir, flagCgroupsRoot} {
		if value, ok := argument(agentContainerOf(agent).Args, name); ok {
			args = append(args, option(name, value))
		}
	}
	return args
}

func agentContainerOf(pod corev1.PodSpec) corev1.Container {
	for _, container := range pod.Containers {
		if container.Name == agentContainer {
			return container
		}
	}
	return corev1.Container{}
}

func argument(args []string, name string) (string, bool) {
	for _, arg := range args {
		if value, ok := strings.CutPrefix(arg, "--"+name+"="); ok {
			return value, true
		}
	}
	return "", false
}
