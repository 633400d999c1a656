// Package httpauth authenticates HTTP requests, as libprocess does for Mesos:
// endpoints belong to realms, a realm that is guarded has one or more
// authenticators, and the first of them that knows the caller says who it is.
//
//	guard := httpauth.NewGuard(map[string][]httpauth.Authenticator{
//		"mesos-master-readwrite": {httpauth.Basic("mesos-master-readwrite", credentials)},
//	}, log)
//	if principal, ok := guard.Authenticate(w, r, realm); ok { … }
//
// Authenticators are Basic (principals of --credentials), Token (JSON web tokens
// that an agent gave to its executors) and Accounts (ServiceAccounts of
// Kubernetes, checked by its TokenReview).
//
// A Guard may be used by any goroutine; it owns none. The httpapi packages of
// both daemons call it before they look at anything else of a request.
package httpauth
