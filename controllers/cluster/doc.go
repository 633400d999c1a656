// Package cluster reconciles MesosClusters.
//
// One pass fills a scope, phase by phase, each in a file of its own:
//
//	access    accounts, rights, addresses           access.go
//	masters   the StatefulSet and who leads         masters.go
//	agents    a DaemonSet for each pool; pools that
//	          left the spec are retired             agents.go, pool.go
//	deletion  in place of these three: pools, then
//	          masters, then claims                  deletion.go
//
// and ends with one patch of the status, which is a function of the scope
// (status.go, conditions.go). Children are applied by the server (apply.go), so
// what others change in them is put back and what others own is left alone. No
// phase waits: each does what can be done now, and a watch brings the next pass.
// The masters are asked by package leader, outside of Reconcile.
//
// The operator's main sets it up; nothing else calls it.
package cluster
