// Package chaos holds the faults of the real world against real processes: three
// masters with an agent, a task and a writer that never rests, while leaders are
// killed, stopped and cut off, disks fill and ZooKeeper goes away.
//
// After each fault somebody leads again, in time, and nothing that any master has
// acknowledged is lost. `make chaos` has many rounds (CHAOS_ROUNDS), a plain
// `go test` few.
package chaos
