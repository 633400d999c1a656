# Recovery of the agent, beyond the bounded form of it in `make test`.

.PHONY: recovery
recovery: ## Kill the agent at every failpoint, on all runtimes, with fifty tasks on it (root).
	RECOVERY_LONG=1 $(GO) test -count=1 -v -timeout 1h ./test/conformance/recovery

.PHONY: root-test
root-test: ## Containers on real namespaces and cgroups, with the leak checks (root).
	$(GO) test -count=1 ./agentd/containerizer/... ./agentd/fetcher/... ./agentd/executor/... ./test/conformance/agent/...
