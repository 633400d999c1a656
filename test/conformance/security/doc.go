// Package security drives the real daemons with everything that keeps people
// out: authentication over HTTP and libprocess, ACLs, TLS, firewall rules.
package security
