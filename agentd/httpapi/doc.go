// Package httpapi is the agent's HTTP: /api/v1/executor for executors,
// /api/v1/resource_provider for resource providers, /api/v1 for operators, and the v0 endpoints (/state, /containers, ...) that
// exporters, UIs and scripts read.
//
// It decodes requests, hands executors' calls to the engine, and encodes
// answers. What only reads is answered from a state.View in the goroutine of the
// request. It keeps no state.
//
// Files by concept: executor.go, provider.go and operator.go are the call APIs, request.go
// checks what both get, answer.go and stream.go write answers; v0.go holds the v0
// endpoints and json.go writes their shapes; container.go joins executors with
// what the containerizer measures.
//
// agentd/app makes one API and registers it with the router.
package httpapi
