// Package e2e tries the whole product on a real kubelet: a MesosCluster that `make up` has made, looked
// at and disturbed from outside with the tools a user has, kubectl and mesosctl.
//
// `make e2e` makes the cluster, runs the tests and removes everything; where MESOS_E2E_KUBECONFIG is not
// set the tests skip. They need the machine's root, since one of them kills a process in a node.
package e2e
