package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// Masters describes the Mesos masters.
type Masters struct {
	Placement `json:",inline"`

	// replicas is the number of masters: 1, 3 or 5. The cluster works while a majority does.
	// It can change while the cluster works: masters join and leave one at a time.
	// +optional
	// +kubebuilder:default=1
	// +kubebuilder:validation:XValidation:rule="self in [1, 3, 5]",message="write 1, 3 or 5: masters decide by majority, and an even number survives no more failures than one less"
	Replicas int32 `json:"replicas,omitempty"`

	// resources of each master's container.
	// +optional
	// +kubebuilder:default={requests: {cpu: "100m", memory: "256Mi"}}
	Resources corev1.ResourceRequirements `json:"resources,omitzero"`

	// storage holds each master's replica of the registry.
	// +optional
	// +kubebuilder:default={}
	Storage MasterStorage `json:"storage,omitzero"`

	// flags are further flags of masterd.
	// +optional
	// +kubebuilder:validation:XValidation:rule="!self.exists(name, name in ['ip', 'port', 'advertise_ip', 'advertise_port', 'hostname'])",message="leave out ip, port, advertise_ip, advertise_port and hostname: the operator sets them; use spec.exposure to change how clients reach the masters"
	// +kubebuilder:validation:XValidation:rule="!self.exists(name, name in ['cluster', 'work_dir', 'registry', 'quorum', 'raft_id', 'raft_address', 'raft_peers', 'kube_leader_label'])",message="leave out cluster, work_dir, registry, quorum, raft_* and kube_leader_label: the operator sets them from metadata.name, masters.replicas and masters.storage"
	// +kubebuilder:validation:XValidation:rule="!self.exists(name, name in ['zk', 'master_contender', 'master_detector', 'log_dir', 'external_log_file'])",message="leave out zk, master_contender, master_detector, log_dir and external_log_file: masters elect among themselves, and log to their containers' output"
	Flags Flags `json:"flags,omitempty"`
}

// ReclaimPolicy says what becomes of the masters' volumes when the MesosCluster is deleted.
//
// +kubebuilder:validation:Enum=Delete;Retain
type ReclaimPolicy string

// The reclaim policies.
const (
	ReclaimDelete ReclaimPolicy = "Delete"
	ReclaimRetain ReclaimPolicy = "Retain"
)

// MasterStorage describes the volume of a master.
//
// +kubebuilder:validation:XValidation:rule="has(self.storageClassName) == has(oldSelf.storageClassName) && (!has(self.storageClassName) || self.storageClassName == oldSelf.storageClassName)",message="masters.storage.storageClassName can't change: the masters' claims exist already"
type MasterStorage struct {
	// size of each master's volume. The registry is small: admitted agents, quotas, weights.
	// +optional
	// +kubebuilder:default="1Gi"
	// +kubebuilder:validation:XValidation:rule="quantity(string(self)).isGreaterThan(quantity('0'))",message="write a size greater than zero, as in size: 1Gi"
	// +kubebuilder:validation:XValidation:rule="quantity(string(self)).compareTo(quantity(string(oldSelf))) == 0",message="masters.storage.size can't change: expand the PersistentVolumeClaims themselves"
	Size resource.Quantity `json:"size,omitzero"`

	// storageClassName of the PersistentVolumeClaims, by default the cluster's default class.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	StorageClassName *string `json:"storageClassName,omitempty"`

	// reclaim says whether the volumes' claims are deleted with the MesosCluster.
	// Claims of masters that masters.replicas has removed are deleted in any case:
	// what they hold is a registry of the past, which must not come back.
	// +optional
	// +kubebuilder:default=Delete
	Reclaim ReclaimPolicy `json:"reclaim,omitempty"`
}
