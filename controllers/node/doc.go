// Package node tells agents of the nodes that they run on.
//
// Labels of nodes are nothing that a pod may read: Kubernetes has no right to get one's own
// Node alone. So the operator, which may read Nodes, copies what a pool asks for onto the
// pods of its agents. A pod is held back by a scheduling gate until that has happened,
// and never changes afterwards: when the labels of its node do, it is replaced, as for any
// other change of the pool no more than maxUnavailable at a time. Tasks live on meanwhile.
//
// controller.go has the reconciler, by pod; facts.go what it decides; setup.go what wakes
// it. The operator's main sets it up; nothing else calls it.
package node
