package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// MesosClusterStatus is what the operator last saw of a MesosCluster.
type MesosClusterStatus struct {
	// observedGeneration is the generation of the spec that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions: Ready sums up; MastersReady and AgentsReady say which half is
	// missing; Progressing says that the operator is still at work; Degraded says
	// that something which worked no longer does, or that a change was refused.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// version is the version of Mesos that the leading master reports.
	// +optional
	Version string `json:"version,omitempty"`

	// leader is the pod of the leading master.
	// +optional
	Leader string `json:"leader,omitempty"`

	// endpoint is the URL of the leading master: the load balancer's once it has
	// an address, else the one inside this Kubernetes cluster.
	// +optional
	Endpoint string `json:"endpoint,omitempty"`

	// nodePort is the port of the leader Service on every node, when it has one.
	// +optional
	NodePort int32 `json:"nodePort,omitempty"`

	// masters counts the masters.
	// +optional
	Masters MasterCounts `json:"masters,omitzero"`

	// agents counts the agents of all pools.
	// +optional
	Agents AgentCounts `json:"agents,omitzero"`

	// pools counts the agents of each pool, and tells of pools that are on their way out.
	// +optional
	// +listType=map
	// +listMapKey=name
	Pools []PoolStatus `json:"pools,omitempty"`
}

// MasterCounts counts the masters.
type MasterCounts struct {
	// desired number of masters.
	Desired int32 `json:"desired"`
	// ready is the number of masters whose pods are ready.
	Ready int32 `json:"ready"`
	// updated is the number of masters that run with the current spec.
	Updated int32 `json:"updated"`
	// voting is the number of masters that decide together, as the leading one last told.
	Voting int32 `json:"voting"`
	// summary is ready/desired, for people.
	Summary string `json:"summary,omitempty"`
}

// AgentCounts counts the agents of all pools.
type AgentCounts struct {
	// desired is the number of nodes that should run an agent.
	Desired int32 `json:"desired"`
	// ready is the number of agents whose pods are ready.
	Ready int32 `json:"ready"`
	// registered is the number of active agents that the leading master last reported.
	Registered int32 `json:"registered"`
	// summary is registered/desired, for people.
	Summary string `json:"summary,omitempty"`
}

// PoolPhase tells where a pool is in its life.
//
// +kubebuilder:validation:Enum=Running;Draining;Cleaning
type PoolPhase string

// The phases of a pool.
const (
	// PoolRunning pools are in the spec.
	PoolRunning PoolPhase = "Running"
	// PoolDraining pools have left the spec; their agents are being stopped.
	PoolDraining PoolPhase = "Draining"
	// PoolCleaning pools have no agents left; their tasks, cgroups, mounts and files are being removed from the nodes.
	PoolCleaning PoolPhase = "Cleaning"
)

// PoolStatus counts the agents of a pool.
type PoolStatus struct {
	// name of the pool.
	Name string `json:"name"`
	// phase is Running, Draining or Cleaning.
	Phase PoolPhase `json:"phase"`
	// desired is the number of nodes that should run an agent, or be cleaned.
	Desired int32 `json:"desired"`
	// ready is the number of agents whose pods are ready, or of nodes that are clean.
	Ready int32 `json:"ready"`
	// updated is the number of agents that run with the current spec.
	Updated int32 `json:"updated"`
}
