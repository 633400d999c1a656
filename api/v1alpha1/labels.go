package v1alpha1

// Labels on the pods and child objects of a MesosCluster.
const (
	// LabelCluster names the MesosCluster, in the object's own namespace, that it belongs to.
	LabelCluster = "mesos.dev/cluster"
	// LabelRole tells what a pod or workload does: RoleMaster, RoleAgent or RoleCleanup.
	LabelRole = "mesos.dev/role"
	// LabelPool names the agent pool.
	LabelPool = "mesos.dev/pool"
	// LabelLeader is "true" on the pod of the leading master, which sets it by itself;
	// the leader Service selects it.
	LabelLeader = "mesos.dev/leader"
)

// AnnotationMembers on a master's pod is the number of masters on the list of peers
// that it was last told of. That it changes makes the kubelet write the list anew at
// once, rather than within a minute or so.
const AnnotationMembers = "mesos.dev/members"

// Values of LabelRole.
const (
	RoleMaster  = "master"
	RoleAgent   = "agent"
	RoleCleanup = "cleanup"
)

const (
	// FinalizerCleanup keeps a MesosCluster until its nodes are clean, and the
	// DaemonSet of an agent pool, as the record of where its agents ran, likewise.
	FinalizerCleanup = "mesos.dev/cleanup"

	// AnnotationSkipCleanup with the value "true" on a MesosCluster gives up on
	// cleaning nodes, for when one of them will never come back.
	AnnotationSkipCleanup = "mesos.dev/skip-cleanup"
)
