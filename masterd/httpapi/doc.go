// Package httpapi is the master's HTTP: /api/v1/scheduler for frameworks,
// /api/v1 for operators, and the v0 endpoints (/state, /slaves, ...) that
// exporters, DNS bridges and UIs read.
//
// It decodes requests, hands calls to the engine, and encodes answers; it keeps
// no state of the cluster. What only reads is answered from a View, in the
// goroutine of the request, so readers cost the state machine nothing.
//
// Files by concept: gate.go decides whether this master answers at all;
// scheduler.go and operator.go are the two call APIs, request.go and answer.go
// what they share; v1json.go writes GET_* answers; v0*.go write the v0
// endpoints; metrics.go turns a View into /metrics.
//
// # Long answers
//
// A record is encoded once, and kept in that form beside the record for as long
// as there is the record (kept.go, state.Kept): by the keeper in the background
// (keeper.go), or by the first who asks, if he is earlier. The forms of /state and
// of GET_STATE in protobuf are made from the beginning of a term, that in JSON
// once somebody has asked for it; together they take as much memory as these
// answers are long, about 0.8, 0.5 and 1.3 kB a task. What follows from many tasks,
// as their order and their counts, is kept for groups of them (state.Digests). An
// answer of a hundred thousand records is a list of pointers to what is kept
// (body.go; parts.go for both encodings of v1), put together in one place, by
// one goroutine at a time, for all who asked meanwhile (shared.go). It does so in
// turns with those that are being sent (internal/lane). Who may not
// see everything gets an answer of its own, from the records that may be seen
// (visible.go).
//
// The application (masterd/app) makes one API for the life of the process and
// registers it with the router.
package httpapi
