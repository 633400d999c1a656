// Package podlabel marks the pod of the leading master with a label, so that a
// Kubernetes Service that selects the label always has the leader behind it and
// no client ever sees a pod's address.
//
// It speaks to the API server with the pod's own service account, which needs
// the verb "patch" on its own pod and nothing else. The application
// (masterd/app) owns the one Labeller of a process.
package podlabel
