package resources

import (
	"fmt"

	"github.com/mesos-operator/mesos-operator/api/v1alpha1"
)

// FieldOwner is the field manager of everything that the operator applies.
const FieldOwner = "mesos-operator"

// Ports of the masters.
const (
	// MasterPort serves HTTP and libprocess; 5050 is Mesos's own.
	MasterPort int32 = 5050
	// RaftPort carries the registry's replication between masters. 5051 would be
	// next but is the agents' port, and a master may share a node's network with one.
	RaftPort int32 = 5052
)

// anyAddress is what the daemons listen on; they advertise another.
const anyAddress = "0.0.0.0"

// MasterName names the masters' StatefulSet, ServiceAccount, Role and disruption budget.
func MasterName(c *v1alpha1.MesosCluster) string { return c.Name + "-master" }

// MastersServiceName names the headless Service that gives each master its DNS name.
func MastersServiceName(c *v1alpha1.MesosCluster) string { return c.Name + "-masters" }

// LeaderServiceName names the Service that selects the leading master.
func LeaderServiceName(c *v1alpha1.MesosCluster) string { return c.Name + "-leader" }

// PeersName names the ConfigMap that lists the masters for one another.
func PeersName(c *v1alpha1.MesosCluster) string { return c.Name + "-peers" }

// AgentAccountName names the agents' ServiceAccount, which may do nothing but review tokens.
func AgentAccountName(c *v1alpha1.MesosCluster) string { return c.Name + "-agent" }

// AgentName names the DaemonSet of a pool.
func AgentName(c *v1alpha1.MesosCluster, pool string) string { return c.Name + "-agent-" + pool }

// CleanupName names the DaemonSet that cleans a pool's nodes.
func CleanupName(c *v1alpha1.MesosCluster, pool string) string { return c.Name + "-cleanup-" + pool }

// MasterPodName names the pod of a master by its ordinal.
func MasterPodName(c *v1alpha1.MesosCluster, ordinal int32) string {
	return fmt.Sprintf("%s-%d", MasterName(c), ordinal)
}

// LeaderHost is the DNS name of the leading master inside the Kubernetes cluster.
// It leaves the cluster's domain to the resolver's search list.
func LeaderHost(c *v1alpha1.MesosCluster) string {
	return fmt.Sprintf("%s.%s.svc", LeaderServiceName(c), c.Namespace)
}

// LeaderURL is where the operator and clients inside the cluster find the leading master.
func LeaderURL(c *v1alpha1.MesosCluster) string {
	return fmt.Sprintf("http://%s:%d", LeaderHost(c), MasterPort)
}

// peerHost is the DNS name of one master.
func peerHost(c *v1alpha1.MesosCluster, pod string) string {
	return fmt.Sprintf("%s.%s.%s.svc", pod, MastersServiceName(c), c.Namespace)
}

// Where agents keep things on their nodes: a directory for each below these.
const (
	workRoot    = "/var/lib/mesos-operator"
	runtimeRoot = "/run/mesos-operator"
)

// nodeID is an agent's name on its node. Underscores occur in none of the three
// names, so no two agents have the same.
func nodeID(c *v1alpha1.MesosCluster, pool string) string {
	return fmt.Sprintf("%s_%s_%s", c.Namespace, c.Name, pool)
}

func nodePath(root string, c *v1alpha1.MesosCluster, pool string) string {
	return root + "/" + nodeID(c, pool)
}

// cgroupsRoot is a single level, so that all of an agent's tasks are weighed as
// one against the kubelet's pods.
func cgroupsRoot(c *v1alpha1.MesosCluster, pool string) string {
	return "mesos_" + nodeID(c, pool)
}
