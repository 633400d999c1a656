// Package op is what can be done to the registry: each operation is a value
// that changes a registry message, and that can be written to a log and read
// back. It is pure: the same operations on the same registry give the same
// registry on every replica.
//
// The master's state machine decides on operations, the stores of
// masterd/registry write and apply them. A store keeps one registry with its
// Index and calls Apply for each batch:
//
//	results := op.Apply(reg, index, ops)
//
// # What may be shared
//
// Operations hold messages of whoever made them and put them into the registry
// as they are. Messages below the registry's lists (an agent, a machine, a
// schedule ...) are replaced, never changed, so a shallow copy of the lists is
// a snapshot that can be encoded while further operations are applied.
//
// # Encoding
//
// A batch is a sequence of records: the operation's code as one byte, the
// length of its body as uvarint, the body. Bodies are existing Mesos messages
// in protobuf encoding (see encoding.go). Codes are never reused.
package op
