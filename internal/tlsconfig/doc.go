// Package tlsconfig is TLS as Mesos's daemons are told to use it: by variables
// LIBPROCESS_SSL_* in the environment, for HTTP and libprocess on one port, with
// certificates that are read again when their files change.
//
//	settings, err := tlsconfig.FromEnvironment(os.LookupEnv) // nil: TLS is off
//	source, err := tlsconfig.Open(settings, log)
//	node, err := libprocess.NewNode(libprocess.Config{ServerTLS: source.Server(), ClientTLS: source.Client, …})
//
// The names, their defaults and what they mean are Mesos's, with two additions:
// TLS 1.3 is on unless it is switched off, and next to the ciphers of Mesos's
// default that Go still has, the modern ones are accepted.
//
// A Source may be used by any goroutine; it owns none, and looks at the files
// when connections are made. Both daemons, executors and mesosctl use it.
package tlsconfig
