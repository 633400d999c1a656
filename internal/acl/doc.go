// Package acl decides who may do what: the authorizer behind --acls, with the
// lists, the defaults and the order of Mesos's own.
//
//	authorizer, skipped, err := acl.Parse(text) // of the flag; a nil one allows everything
//	may := authorizer.For(principal)            // cached per principal
//	if !may.To(acl.RunTask).Allow(acl.User("root")) { … }
//
// Every action has one list of rules (launching a nested container has two). A
// rule names principals and objects; the first one that fits a request decides,
// and what none fits is up to the field permissive. Fitting and allowing differ
// for NONE: it fits what it then refuses.
//
// An Approver is a small value with the rules that concern one principal and
// one action, so asking it about each of 100,000 tasks is cheap; Always tells
// when asking can be left out. The package is pure: no I/O, no clock, no log.
// The edges of masterd and agentd use it, and masterd/state for what only the
// master's logic can check.
package acl
