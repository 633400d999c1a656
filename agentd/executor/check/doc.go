// Package check performs the checks and health checks of tasks: commands, HTTP and
// HTTPS requests, TCP connections. Executors make a [Watch] for each check of a task
// and run it as long as the task runs.
//
// A check tells what it found, and executors tell the framework when that changed. A
// health check decides whether the task is healthy, and when it has failed too
// often in a row to be left alive. Both wait before the first probe, and between
// the end of a probe and the next.
//
// HTTP and TCP probes connect from the caller's network namespace, which an executor
// shares with its tasks. How a command is run in its task's surroundings is the
// executor's affair: see [Command].
package check
