package resources

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/mesos-operator/mesos-operator/api/v1alpha1"
)

// peersKey is the file of the peers ConfigMap.
const peersKey = "peers"

// PeersConfigMap lists so many masters for the registry's replication, as
// "name=host:port" with a comma after each: what --raft_peers takes, one a line for the
// reader. The leading master makes the group what it says.
func PeersConfigMap(c *v1alpha1.MesosCluster, members int32) *corev1ac.ConfigMapApplyConfiguration {
	var peers strings.Builder
	for ordinal := range members {
		pod := MasterPodName(c, ordinal)
		fmt.Fprintf(&peers, "%s=%s:%d,\n", pod, peerHost(c, pod), RaftPort)
	}
	return corev1ac.ConfigMap(PeersName(c), c.Namespace).
		WithLabels(labels(c, v1alpha1.RoleMaster, "")).
		WithOwnerReferences(ownerReference(c)).
		WithData(map[string]string{peersKey: peers.String()})
}

// Members is the number of masters that a peers ConfigMap lists.
func Members(peers *corev1.ConfigMap) int32 {
	return int32(strings.Count(peers.Data[peersKey], "="))
}
