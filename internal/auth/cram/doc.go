// Package cram is CRAM-MD5 (RFC 2195) over libprocess messages, as agents and
// native drivers authenticate to a Mesos master:
//
//	client                                     master
//	AuthenticateMessage(pid)              ->
//	                                      <-   AuthenticationMechanismsMessage
//	AuthenticationStartMessage(CRAM-MD5)  ->
//	                                      <-   AuthenticationStepMessage(challenge)
//	AuthenticationStepMessage(response)   ->
//	                                      <-   AuthenticationCompletedMessage, or …Failed…, or …Error…
//
// The client talks from a process of its own, and names the process that is to
// be authenticated: "slave(1)@…" or "scheduler-…@…". The master talks from a
// process per exchange.
//
// Authenticator is the master's side; it remembers who authenticated at which
// PID until that node's connection breaks, and is made anew for each term of
// leadership. Authenticate is the client's side. masterd/app and agentd's engine
// use them.
package cram
