# Measurements over the real binaries; docs/benchmarks.md has figures.

.PHONY: bench-tasks
bench-tasks: ## Latency and throughput of tasks through masterd and agentd (root).
	$(GO) test -run '^$$' -bench . -benchtime 1x -timeout 20m ./test/bench
