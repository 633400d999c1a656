# Faults against real processes; `make unit` has a few rounds of them.

CHAOS_ROUNDS ?= 50
.PHONY: chaos
chaos: ## Kill, stop and cut off leading masters CHAOS_ROUNDS times each (default 50; root for all of it).
	CHAOS_ROUNDS=$(CHAOS_ROUNDS) $(GO) test -count=1 -timeout 4h -v ./test/chaos
