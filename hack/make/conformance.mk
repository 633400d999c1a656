# Tests over the real binaries, which are also a part of `make unit`.

.PHONY: conformance
conformance: ## masterd and agentd as processes, seen from outside (root for all of it).
	$(GO) test -count=1 -timeout 20m ./test/conformance/...

.PHONY: compatibility
compatibility: ## Write docs/compatibility.md anew from what the binaries do.
	$(GO) test -count=1 ./test/conformance/compatibility -rewrite
