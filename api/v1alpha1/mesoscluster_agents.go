package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// AgentPool is a group of like nodes that run one Mesos agent each.
//
// +kubebuilder:validation:XValidation:rule="!self.resources.ports.exists(range, range.begin <= self.port && self.port <= range.end)",message="port lies in resources.ports: the agent can't offer the port that it listens on itself"
// +kubebuilder:validation:XValidation:rule="self.port == oldSelf.port",message="a pool's port can't change, as its agents would lose their tasks: add a pool of another name, and remove this one"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.attributes) || (has(self.attributes) && oldSelf.attributes.all(name, name in self.attributes && self.attributes[name] == oldSelf.attributes[name]))",message="a pool's attributes can be added to but not changed or removed, as tasks were placed by them: add a pool of another name, and remove this one"
// +kubebuilder:validation:XValidation:rule="!has(self.secrets) || !has(self.flags) || !('secret_resolver' in self.flags || 'secret_directory' in self.flags || 'kube_secrets_namespace' in self.flags)",message="leave out the flags secret_resolver, secret_directory and kube_secrets_namespace beside secrets, which sets them"
type AgentPool struct {
	Placement `json:",inline"`

	// name of the pool, unique in the cluster.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=30
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="write lower-case letters, digits and dashes, as in name: ssd-nodes"
	Name string `json:"name"`

	// resources is what each agent of the pool offers to frameworks, and exactly
	// what its pod requests from Kubernetes, so that nothing is sold twice.
	// +required
	Resources AgentResources `json:"resources"`

	// attributes are told to frameworks with every offer, as text unless a value
	// reads as one of Mesos's numbers or ranges: 3, [1-10].
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	// +kubebuilder:validation:XValidation:rule="self.all(name, name.size() <= 128 && name.matches('^[A-Za-z0-9][-A-Za-z0-9_./]*$'))",message="write attribute names with letters, digits, dashes, underscores, dots and slashes"
	Attributes map[string]AttributeValue `json:"attributes,omitempty"`

	// attributesFromNodeLabels are keys of labels whose values become attributes of
	// the same name of the agents on nodes that have them; a prefix with a star behind it
	// means all keys that begin so, and a star alone all. A label without a value
	// becomes "true". Attributes of the pool come before labels of the same name. When
	// a node's labels change its agent is restarted, and its tasks go on; choose what changes rarely.
	// An empty list means none.
	// +optional
	// +listType=set
	// +kubebuilder:default={"kubernetes.io/arch","node.kubernetes.io/instance-type","topology.kubernetes.io/region","topology.kubernetes.io/zone"}
	// +kubebuilder:validation:MaxItems=64
	AttributesFromNodeLabels []NodeLabel `json:"attributesFromNodeLabels,omitzero"`

	// isolation lists the isolators of containers.
	// +optional
	// +listType=set
	// +kubebuilder:default={"cgroups/cpu","cgroups/mem"}
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	Isolation []Isolator `json:"isolation,omitempty"`

	// runtime starts the containers: posix forks the task as a process of the
	// node; oci runs it through an OCI runtime, in namespaces of its own.
	// +optional
	// +kubebuilder:default=posix
	// +kubebuilder:validation:Enum=posix;oci
	Runtime Runtime `json:"runtime,omitempty"`

	// secrets names Secrets of this namespace that tasks of the pool may refer to, in
	// their environment, in volumes, and as credentials of images: the name of a
	// reference is that of the Secret, its key that of an entry. Every framework
	// may refer to all of them. They are mounted into the agents' pods, which get
	// no right to read Secrets from the API.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	Secrets []SecretName `json:"secrets,omitempty"`

	// port that the agents listen on, on their nodes' own addresses.
	// +optional
	// +kubebuilder:default=5051
	// +kubebuilder:validation:Minimum=1024
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port,omitempty"`

	// maxUnavailable is how many agents, or what share of them, an upgrade may
	// restart at a time. Their tasks go on running meanwhile.
	// +optional
	// +kubebuilder:default=1
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:MaxLength=4
	// +kubebuilder:validation:XValidation:rule="type(self) == int ? self >= 1 : self.matches('^[1-9][0-9]?%$|^100%$')",message="write a number of agents, at least 1, or a share such as 10%"
	MaxUnavailable *intstr.IntOrString `json:"maxUnavailable,omitempty"`

	// flags are further flags of agentd.
	// +optional
	// +kubebuilder:validation:XValidation:rule="!self.exists(name, name in ['ip', 'port', 'advertise_ip', 'advertise_port', 'hostname', 'master', 'master_detector'])",message="leave out ip, port, advertise_ip, advertise_port, hostname, master and master_detector: the operator sets them; agentPools[].port changes the port"
	// +kubebuilder:validation:XValidation:rule="!self.exists(name, name in ['resources', 'attributes', 'isolation', 'launcher', 'runtime'])",message="write agentPools[].resources, attributes, isolation and runtime in place of the flags resources, attributes, isolation, launcher and runtime"
	// +kubebuilder:validation:XValidation:rule="!self.exists(name, name in ['work_dir', 'runtime_dir', 'cgroups_root', 'cgroups_hierarchy', 'host_mount_namespace', 'reconfiguration_policy', 'log_dir', 'external_log_file'])",message="leave out work_dir, runtime_dir, cgroups_*, host_mount_namespace, reconfiguration_policy, log_dir and external_log_file: the operator sets what upgrades and clean-up rely on, and agents log to their containers' output"
	Flags Flags `json:"flags,omitempty"`
}

// Runtime is how an agent starts containers.
type Runtime string

// The runtimes.
const (
	RuntimePosix Runtime = "posix"
	RuntimeOCI   Runtime = "oci"
)

// Isolator is the name of a Mesos isolator, such as cgroups/cpu.
//
// +kubebuilder:validation:MaxLength=64
// +kubebuilder:validation:Pattern=`^[a-z][a-z0-9_]*(/[a-z0-9_]+)?$`
type Isolator string

// SecretName is the name of a Secret.
//
// +kubebuilder:validation:MaxLength=253
// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",message="write the name of a Secret of this namespace, as in database-password"
type SecretName string

// NodeLabel is the key of a label, or the beginning of keys and a star.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=317
// +kubebuilder:validation:XValidation:rule="self.matches('^([A-Za-z0-9]([-A-Za-z0-9_./]*[A-Za-z0-9])?|([A-Za-z0-9][-A-Za-z0-9_./]*)?[*])$')",message="write the key of a label, or the beginning of keys with a star behind it: topology.kubernetes.io/zone, example.com/*"
type NodeLabel string

// AttributeValue is the value of an agent's attribute.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=256
// +kubebuilder:validation:XValidation:rule="self.matches('^([^][;\\n(){}]+|[[][0-9, -]+])$')",message="write an attribute's value as text without semicolons, brackets and line breaks, or as ranges: [1-10]; Mesos has no sets as attributes"
type AttributeValue string

// AgentResources is what an agent offers. It can grow; an agent that has to offer
// less must let its tasks go first, which takes a new pool.
//
// +kubebuilder:validation:XValidation:rule="quantity(string(self.cpu)).compareTo(quantity(string(oldSelf.cpu))) >= 0 && quantity(string(self.memory)).compareTo(quantity(string(oldSelf.memory))) >= 0 && quantity(string(self.ephemeralStorage)).compareTo(quantity(string(oldSelf.ephemeralStorage))) >= 0",message="a pool's resources can grow but not shrink, as tasks may use them: add a pool of another name, and remove this one"
// +kubebuilder:validation:XValidation:rule="oldSelf.ports.all(old, self.ports.exists(new, new.begin <= old.begin && old.end <= new.end))",message="a pool's ports can be added to but not removed, as tasks may use them: add a pool of another name, and remove this one"
type AgentResources struct {
	// cpu that tasks may use.
	// +required
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="quantity(string(self)).compareTo(quantity('10m')) >= 0",message="write at least 10m, as in cpu: \"4\": Mesos offers nothing less than 0.01 of a cpu"
	CPU resource.Quantity `json:"cpu"`

	// memory that tasks may use; offered in whole mebibytes, rounded down.
	// +required
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="quantity(string(self)).compareTo(quantity('32Mi')) >= 0",message="write at least 32Mi, as in memory: 8Gi: Mesos offers nothing less than 32 MB"
	Memory resource.Quantity `json:"memory"`

	// ephemeralStorage is the disk space that tasks may use in their sandboxes, on
	// the node's own disk; offered in whole mebibytes, rounded down.
	// +optional
	// +kubebuilder:default="1Gi"
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="quantity(string(self)).compareTo(quantity('0')) >= 0",message="write a size, as in ephemeralStorage: 20Gi, or 0 to offer none"
	EphemeralStorage resource.Quantity `json:"ephemeralStorage,omitzero"`

	// ports of the node that tasks may use. Mesos's usual 31000 to 32000 lies in
	// the range of Kubernetes's NodePorts: keep them apart where NodePorts are used.
	// +optional
	// +listType=atomic
	// +kubebuilder:default={{begin: 31000, end: 32000}}
	// +kubebuilder:validation:MaxItems=32
	Ports []PortRange `json:"ports,omitempty"`
}

// PortRange is a range of ports, both ends included.
//
// +kubebuilder:validation:XValidation:rule="self.begin <= self.end",message="write the lower port as begin and the higher as end"
type PortRange struct {
	// begin is the first port.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Begin int32 `json:"begin"`

	// end is the last port.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	End int32 `json:"end"`
}
