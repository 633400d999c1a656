// Package bench measures masterd and agentd as processes on one machine, over
// their public APIs: what a framework waits for, and how many tasks it gets
// through. `make bench-tasks` runs it; docs/benchmarks.md has the figures.
package bench
