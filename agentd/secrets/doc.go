// Package secrets finds the values of secrets that tasks only refer to: those in
// their environment, in volumes, and the credentials of images.
//
// A reference has a name and may have a key. Who resolves it decides what these
// mean: [Directory] takes them for a directory and a file, [Kubernetes] for a
// Secret and an entry of its data. [Values] resolves none. The value is looked up
// when a container is launched, given to that container, and kept nowhere:
// checkpoints and states have the reference.
//
// agentd/app makes one of them; the engine, the isolator volume/secret and the
// image store ask it.
package secrets
