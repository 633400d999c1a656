package resources

import (
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"

	"github.com/mesos-operator/mesos-operator/api/v1alpha1"
)

const (
	masterContainer = "masterd"
	masterWorkDir   = "/var/lib/mesos"
	masterPeersDir  = "/etc/mesos/peers"
	dataVolume      = "data"
	peersVolume     = "peers"

	// nonRoot is the user and group of the project's images that need no root;
	// 65532 is what distroless images call nonroot.
	nonRoot int64 = 65532
)

// MasterStatefulSet runs so many masters. Advertise is the address of the leader
// Service, by which the leading master makes itself known; it may be empty.
//
// All masters start at once, as a majority must meet before any can lead. The
// operator replaces them one by one after a change, as only it knows which one leads.
// Their claims are never deleted by the StatefulSet itself: that it is deleted by
// mistake must not cost the registry. The operator deletes them with the MesosCluster,
// and with the masters that leave the group.
//
// No argument depends on the number of masters, so that a new number restarts none.
func MasterStatefulSet(c *v1alpha1.MesosCluster, d Defaults, advertise string, masters int32) *appsv1ac.StatefulSetApplyConfiguration {
	return appsv1ac.StatefulSet(MasterName(c), c.Namespace).
		WithLabels(labels(c, v1alpha1.RoleMaster, "")).
		WithOwnerReferences(ownerReference(c)).
		WithSpec(appsv1ac.StatefulSetSpec().
			WithReplicas(masters).
			WithServiceName(MastersServiceName(c)).
			WithPodManagementPolicy(appsv1.ParallelPodManagement).
			WithUpdateStrategy(appsv1ac.StatefulSetUpdateStrategy().
				WithType(appsv1.OnDeleteStatefulSetStrategyType)).
			WithPersistentVolumeClaimRetentionPolicy(appsv1ac.StatefulSetPersistentVolumeClaimRetentionPolicy().
				WithWhenDeleted(appsv1.RetainPersistentVolumeClaimRetentionPolicyType).
				WithWhenScaled(appsv1.RetainPersistentVolumeClaimRetentionPolicyType)).
			WithSelector(metav1ac.LabelSelector().
				WithMatchLabels(selector(c, v1alpha1.RoleMaster, ""))).
			WithTemplate(corev1ac.PodTemplateSpec().
				WithLabels(labels(c, v1alpha1.RoleMaster, "")).
				WithAnnotations(scraped(strconv.Itoa(int(MasterPort)))).
				WithSpec(masterPod(c, d, advertise))).
			WithVolumeClaimTemplates(masterClaim(c)))
}

func masterPod(c *v1alpha1.MesosCluster, d Defaults, advertise string) *corev1ac.PodSpecApplyConfiguration {
	pod := corev1ac.PodSpec().
		WithServiceAccountName(MasterName(c)).
		WithAutomountServiceAccountToken(true).
		WithEnableServiceLinks(false).
		WithTerminationGracePeriodSeconds(30).
		WithSecurityContext(corev1ac.PodSecurityContext().
			WithRunAsNonRoot(true).
			WithRunAsUser(nonRoot).
			WithRunAsGroup(nonRoot).
			WithFSGroup(nonRoot).
			WithFSGroupChangePolicy(corev1.FSGroupChangeOnRootMismatch).
			WithSeccompProfile(corev1ac.SeccompProfile().WithType(corev1.SeccompProfileTypeRuntimeDefault))).
		WithContainers(masterd(c, d, advertise)).
		WithVolumes(corev1ac.Volume().WithName(peersVolume).
			WithConfigMap(corev1ac.ConfigMapVolumeSource().WithName(PeersName(c))))
	placement := c.Spec.Masters.Placement
	if placement.Affinity == nil {
		placement.Affinity = spreadMasters(c)
	}
	place(pod, placement)
	pullSecrets(pod, c.Spec.Images.PullSecrets)
	return pod
}

func masterd(c *v1alpha1.MesosCluster, d Defaults, advertise string) *corev1ac.ContainerApplyConfiguration {
	return container(c, masterContainer, d.masterImage(c)).
		WithArgs(masterArgs(c, advertise)...).
		WithEnv(
			fromField("POD_NAME", "metadata.name"),
			fromField("POD_NAMESPACE", "metadata.namespace"),
			fromField("POD_IP", "status.podIP")).
		WithPorts(
			containerPort("http", MasterPort),
			containerPort("raft", RaftPort)).
		WithResources(corev1ac.ResourceRequirements().
			WithRequests(c.Spec.Masters.Resources.Requests).
			WithLimits(c.Spec.Masters.Resources.Limits)).
		WithSecurityContext(corev1ac.SecurityContext().
			WithReadOnlyRootFilesystem(true).
			WithAllowPrivilegeEscalation(false).
			WithCapabilities(corev1ac.Capabilities().WithDrop("ALL"))).
		// Replaying a large registry takes its time before the port is open.
		WithStartupProbe(health("http", 1, 120)).
		WithReadinessProbe(health("http", 2, 3)).
		WithLivenessProbe(health("http", 10, 6)).
		WithVolumeMounts(
			corev1ac.VolumeMount().WithName(dataVolume).WithMountPath(masterWorkDir),
			// The whole directory: a file by itself would never be written anew.
			corev1ac.VolumeMount().WithName(peersVolume).WithMountPath(masterPeersDir).WithReadOnly(true))
}

func containerPort(name string, port int32) *corev1ac.ContainerPortApplyConfiguration {
	return corev1ac.ContainerPort().
		WithName(name).
		WithContainerPort(port).
		WithProtocol(corev1.ProtocolTCP)
}

func masterClaim(c *v1alpha1.MesosCluster) *corev1ac.PersistentVolumeClaimApplyConfiguration {
	storage := c.Spec.Masters.Storage
	spec := corev1ac.PersistentVolumeClaimSpec().
		WithAccessModes(corev1.ReadWriteOnce).
		WithResources(corev1ac.VolumeResourceRequirements().
			WithRequests(corev1.ResourceList{corev1.ResourceStorage: storage.Size}))
	if storage.StorageClassName != nil {
		spec.WithStorageClassName(*storage.StorageClassName)
	}
	claim := corev1ac.PersistentVolumeClaimApplyConfiguration{}
	return claim.
		WithName(dataVolume).
		WithLabels(selector(c, v1alpha1.RoleMaster, "")).
		WithSpec(spec)
}

// MasterClaimName names the claim of a master by its ordinal.
func MasterClaimName(c *v1alpha1.MesosCluster, ordinal int32) string {
	return dataVolume + "-" + MasterPodName(c, ordinal)
}
