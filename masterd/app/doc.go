// Package app is the master as a program: its flags, and how registry, election,
// engine, HTTP and libprocess are put together. cmd/masterd is its only caller;
// the rest of masterd knows nothing of flags.
package app
