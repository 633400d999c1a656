# Measurements over the real binaries; docs/benchmarks.md has figures.

.PHONY: bench-tasks
bench-tasks: ## Latency and throughput of tasks through masterd and agentd (root).
	$(GO) test -run '^$$' -bench 'Accept|Sequential|Parallel' -benchtime 1x -timeout 20m ./test/bench

.PHONY: bench-agent
bench-agent: ## Launches, destroys, memory and reads of one agent with 150 to 1,000 tasks, and its restart (root).
	$(GO) test -run '^$$' -bench 'Agent' -benchtime 1x -timeout 30m ./test/bench

.PHONY: bench-failover
bench-failover: ## How long a new leader takes to take 2,000, 10,000 and 20,000 agents back.
	$(GO) test -run '^$$' -bench Failover -benchtime 1x -timeout 20m ./test/bench

.PHONY: bench-reads
bench-reads: ## Reads, polling and event streams of a master with 10,000 agents and 200,000 tasks.
	$(GO) test -run '^$$' -bench '^Benchmark(ReadAtOnce|Reads|Polling|Events)$$' -benchtime 1x -timeout 30m ./test/bench
