# Recovery of the agent, beyond the bounded form of it in `make test`.

.PHONY: recovery
recovery: ## Kill the agent at every failpoint, on all runtimes, with fifty tasks on it (root).
	RECOVERY_LONG=1 $(GO) test -count=1 -v -timeout 1h ./test/conformance/recovery

.PHONY: root-test
root-test: ## Containers on real namespaces and cgroups, with the leak checks (root).
	$(GO) test -count=1 ./agentd/containerizer/... ./agentd/fetcher/... ./agentd/executor/... ./test/conformance/agent/...

.PHONY: root-test-v2
root-test-v2: ## Containers on pure cgroup v2 and on XFS with quotas, in an emulated machine with Debian's kernel (root).
	hack/root-test-v2.sh
