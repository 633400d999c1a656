package resources

import (
	"fmt"
	"strings"

	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/mesos-operator/mesos-operator/api/v1alpha1"
)

// peersKey is the file of the peers ConfigMap.
const peersKey = "peers"

// PeersConfigMap lists the masters for the registry's replication, as "name=host:port"
// with a comma after each: what --raft_peers takes, one a line for the reader.
func PeersConfigMap(c *v1alpha1.MesosCluster) *corev1ac.ConfigMapApplyConfiguration {
	var peers strings.Builder
	for ordinal := range c.Spec.Masters.Replicas {
		pod := MasterPodName(c, ordinal)
		fmt.Fprintf(&peers, "%s=%s:%d,\n", pod, peerHost(c, pod), RaftPort)
	}
	return corev1ac.ConfigMap(PeersName(c), c.Namespace).
		WithLabels(labels(c, v1alpha1.RoleMaster, "")).
		WithOwnerReferences(ownerReference(c)).
		WithData(map[string]string{peersKey: peers.String()})
}
