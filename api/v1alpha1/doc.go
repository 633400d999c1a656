// Package v1alpha1 holds the Kubernetes resources of the API group mesos.dev.
//
// It owns the shape of MesosCluster, its defaults, the CEL rules by which the
// API server refuses nonsense, and the names of the labels, annotations,
// condition types and reasons that users and other tools may rely on. It has no
// behaviour: the operator's controllers give it that. Anyone who talks to the
// API server about Mesos clusters may import it.
//
// +kubebuilder:object:generate=true
// +groupName=mesos.dev
package v1alpha1
