package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// MesosCluster is a Mesos cluster on the nodes of this Kubernetes cluster:
// masters as a StatefulSet and, for each agent pool, agents as a DaemonSet.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=mc,categories=mesos
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Masters",type=string,JSONPath=`.status.masters.summary`,description="ready/desired"
// +kubebuilder:printcolumn:name="Agents",type=string,JSONPath=`.status.agents.summary`,description="registered with the leading master/desired"
// +kubebuilder:printcolumn:name="Leader",type=string,JSONPath=`.status.leader`
// +kubebuilder:printcolumn:name="Version",type=string,JSONPath=`.status.version`,priority=1
// +kubebuilder:printcolumn:name="Endpoint",type=string,JSONPath=`.status.endpoint`,priority=1
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 40 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",message="metadata.name: write at most 40 lower-case letters, digits and dashes, beginning with a letter: Services and pods are named after it"
type MesosCluster struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what the cluster should be.
	// +required
	Spec MesosClusterSpec `json:"spec"`

	// status is what the operator last saw of it.
	// +optional
	Status MesosClusterStatus `json:"status,omitzero"`
}

// MesosClusterList is a list of MesosClusters.
//
// +kubebuilder:object:root=true
type MesosClusterList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []MesosCluster `json:"items"`
}

// MesosClusterSpec is the wanted state of a MesosCluster.
//
// +kubebuilder:validation:XValidation:rule="!has(self.masters) || !has(self.masters.flags) || !('kube_token_audiences' in self.masters.flags) || !has(self.authentication) || !has(self.authentication.serviceAccounts)",message="write authentication.serviceAccounts.audiences in place of the flag kube_token_audiences of masters"
// +kubebuilder:validation:XValidation:rule="!has(self.agentPools) || !has(self.authentication) || !has(self.authentication.serviceAccounts) || self.agentPools.all(pool, !has(pool.flags) || !('kube_token_audiences' in pool.flags))",message="write authentication.serviceAccounts.audiences in place of the flag kube_token_audiences of agents"
// +kubebuilder:validation:XValidation:rule="!has(self.faultDomain) || !has(self.masters) || !has(self.masters.flags) || !('domain' in self.masters.flags)",message="write faultDomain in place of the flag domain of masters"
// +kubebuilder:validation:XValidation:rule="!has(self.agentPools) || !has(self.faultDomain) || self.agentPools.all(pool, !has(pool.flags) || !('domain' in pool.flags))",message="leave out the flag domain of agents beside faultDomain, which takes it from the labels of their nodes"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.faultDomain) || has(self.faultDomain)",message="faultDomain can change but not go: masters without one refuse the agents that have one"
type MesosClusterSpec struct {
	// images says which container images to run; empty ones are the operator's defaults.
	// +optional
	Images Images `json:"images,omitzero"`

	// masters describes the Mesos masters.
	// +optional
	// +kubebuilder:default={}
	Masters Masters `json:"masters,omitzero"`

	// agentPools are groups of nodes that run a Mesos agent each. A node must
	// match one pool only, unless the pools' ports differ.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	AgentPools []AgentPool `json:"agentPools,omitempty"`

	// faultDomain has the agents tell frameworks which region and zone they are in, by
	// the labels topology.kubernetes.io/region and topology.kubernetes.io/zone of their nodes.
	// +optional
	FaultDomain *FaultDomain `json:"faultDomain,omitempty"`

	// exposure says how clients reach the leading master.
	// +optional
	// +kubebuilder:default={}
	Exposure Exposure `json:"exposure,omitzero"`

	// authentication says who may make requests at all; ACLs, a flag, say what they may do.
	// +optional
	Authentication Authentication `json:"authentication,omitzero"`
}

// FaultDomain is the masters' own.
type FaultDomain struct {
	// region that the masters are in. Agents of other regions are remote: their
	// resources are offered to frameworks with the capability REGION_AWARE only.
	// +required
	Region DomainName `json:"region"`

	// zone that the masters tell. Nothing is decided by it; they may well be in several.
	// +optional
	// +kubebuilder:default=masters
	Zone DomainName `json:"zone,omitempty"`
}

// DomainName is the name of a region or zone, as in a label's value.
//
// +kubebuilder:validation:MaxLength=63
// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$')",message="write the name of a region or zone as nodes' labels do, as in eu-west-1"
type DomainName string

// Images are the container images of a cluster.
type Images struct {
	// master is the image of masterd, by default the operator's --masterd-image.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Master string `json:"master,omitempty"`

	// agent is the image of agentd, by default the operator's --agentd-image.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Agent string `json:"agent,omitempty"`

	// pullPolicy applies to every container; by default Kubernetes decides by the tag.
	// +optional
	// +kubebuilder:validation:Enum=Always;IfNotPresent;Never
	PullPolicy corev1.PullPolicy `json:"pullPolicy,omitempty"`

	// pullSecrets name Secrets of this namespace with registry credentials.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	PullSecrets []corev1.LocalObjectReference `json:"pullSecrets,omitempty"`
}

// Placement says which nodes may run a pod.
type Placement struct {
	// nodeSelector lists labels that a node must have.
	// +optional
	// +mapType=atomic
	NodeSelector map[string]string `json:"nodeSelector,omitempty"`

	// tolerations let pods run on nodes with matching taints.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Tolerations []corev1.Toleration `json:"tolerations,omitempty"`

	// affinity refines the choice of nodes.
	// +optional
	Affinity *corev1.Affinity `json:"affinity,omitempty"`

	// priorityClassName names the PriorityClass of the pods.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	PriorityClassName string `json:"priorityClassName,omitempty"`
}

// Flags are further flags of a Mesos daemon by name, without dashes, as in
// "allocation_interval": "500ms". A boolean flag takes "true" or "false".
//
// +kubebuilder:validation:MaxProperties=64
// +kubebuilder:validation:XValidation:rule="self.all(name, name.size() <= 64 && name.matches('^[a-z][a-z0-9_]*$'))",message="write a flag's name without dashes, as in allocation_interval: 500ms, and a boolean flag as name: \"true\" or name: \"false\""
type Flags map[string]FlagValue

// FlagValue is the text after the equals sign of a flag.
//
// +kubebuilder:validation:MaxLength=16384
type FlagValue string

// Exposure says how clients reach the leading master.
//
// +kubebuilder:validation:XValidation:rule="!has(self.nodePort) || self.type != 'ClusterIP'",message="exposure.nodePort: write type: NodePort or LoadBalancer beside it, or leave it out"
// +kubebuilder:validation:XValidation:rule="!has(self.loadBalancerClass) || self.type == 'LoadBalancer'",message="exposure.loadBalancerClass: write type: LoadBalancer beside it, or leave it out"
type Exposure struct {
	// type is the type of the leader Service.
	// +optional
	// +kubebuilder:default=ClusterIP
	// +kubebuilder:validation:Enum=ClusterIP;NodePort;LoadBalancer
	Type corev1.ServiceType `json:"type,omitempty"`

	// nodePort is the port to open on every node; by default Kubernetes picks one.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	NodePort *int32 `json:"nodePort,omitempty"`

	// loadBalancerClass picks the load balancer's implementation.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	LoadBalancerClass *string `json:"loadBalancerClass,omitempty"`

	// annotations are put on the leader Service, for load balancers and DNS controllers.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	Annotations map[string]string `json:"annotations,omitempty"`
}
