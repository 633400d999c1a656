package resources

import (
	"fmt"
	"path"

	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/mesos-operator/mesos-operator/api/v1alpha1"
)

// secretsDir is where an agent finds the Secrets that tasks may refer to, a directory
// for each. The kubelet mounts them, so that neither the agents nor the operator
// need the right to read Secrets.
const secretsDir = "/etc/mesos/secrets"

// secretArgs have the agent resolve references there.
func secretArgs(pool v1alpha1.AgentPool) []string {
	if len(pool.Secrets) == 0 {
		return nil
	}
	return []string{option("secret_resolver", "directory"), option("secret_directory", secretsDir)}
}

// secretVolumes are the Secrets. One that doesn't exist keeps no agent from starting:
// it fails the tasks that refer to it, until it does.
func secretVolumes(pool v1alpha1.AgentPool) (volumes []*corev1ac.VolumeApplyConfiguration, mounts []*corev1ac.VolumeMountApplyConfiguration) {
	for i, secret := range pool.Secrets {
		name := fmt.Sprintf("secret-%d", i)
		volumes = append(volumes, corev1ac.Volume().WithName(name).WithSecret(corev1ac.SecretVolumeSource().
			WithSecretName(string(secret)).WithDefaultMode(0o400).WithOptional(true)))
		mounts = append(mounts, corev1ac.VolumeMount().WithName(name).WithMountPath(path.Join(secretsDir, string(secret))).WithReadOnly(true))
	}
	return volumes, mounts
}
