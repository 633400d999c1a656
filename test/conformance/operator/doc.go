// Package operator tests what operators do with the real masterd over a socket:
// /api/v1 in both content types, and the v0 endpoints that do the same. Answers
// are held against those recorded from a real Mesos, in testdata.
package operator
