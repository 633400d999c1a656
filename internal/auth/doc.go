// Package auth holds what all ways of authentication share: who somebody
// turned out to be (Principal) and the secrets that the daemons know by the
// flags --credentials, --http_credentials and --credential (Credentials).
//
// The ways themselves are in the packages below: httpauth for requests, cram
// for libprocess, token for the tokens that agents give to executors. What a
// principal may do is internal/acl's matter.
//
// The package does no I/O but for reading a file of secrets, and owns no
// goroutine. The daemons and the packages below use it.
package auth
