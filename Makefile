# Two commands do all set-up on a fresh Debian machine with Go, as root:
#   make up     a Kubernetes (a local one if none is reachable), the operator, a MesosCluster, a task
#   make test   everything CI checks
# `make help` lists the rest.

SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

GO ?= go
TOOL := $(GO) tool -modfile=tools/go.mod
# Versions go into the binaries and, through them, into /version.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X github.com/mesos-operator/mesos-operator/internal/version.build=$(VERSION)
PROGRAMS := operator masterd agentd executord mesosctl

include hack/make/*.mk

.PHONY: help
help: ## Show this list.
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9-]+:.*## / {printf "  %-22s %s\n", $$1, $$2}' $(MAKEFILE_LIST) | sort

##@ Build

.PHONY: build
build: $(PROGRAMS:%=bin/%) ## Build the programs into bin/, static.

.PHONY: FORCE
bin/%: FORCE
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $@ ./cmd/$*

.PHONY: generate
generate: ## Generate wire types, JSON code, deep copies and CRDs.
	$(TOOL) buf generate
	$(MAKE) generate-crds

##@ Check

.PHONY: test
test: ## Everything CI checks: generated code, lint, unit, simulation, envtest, root, conformance, end to end.
	hack/test.sh

.PHONY: verify
verify: ## Fail if generated code or go.mod is not what the sources say.
	hack/verify.sh

.PHONY: lint
lint: ## golangci-lint, with the import rules.
	$(TOOL) golangci-lint run ./...

.PHONY: unit
unit: ## Unit, property and golden tests, fuzz seeds and 140 seeds of the simulation.
	$(GO) test ./...

CHECKS ?= 5000
.PHONY: properties
properties: ## Property tests with CHECKS new cases each (default 5000).
	RAPID_SEED=0 RAPID_CHECKS=$(CHECKS) $(GO) test -count=1 -p 1 -timeout 2h \
	  $$(grep -rl --include='*_test.go' 'pgregory.net/rapid"' . | xargs -n1 dirname | sort -u)

SEEDS ?= 1000
.PHONY: sim
sim: ## The simulation over SEEDS seeds (default 1000).
	SIM_SEEDS=$(SEEDS) $(GO) test -count=1 -timeout 12h ./test/sim/...

.PHONY: bench
bench: ## All Go benchmarks.
	$(GO) test -run '^$$' -bench . -benchmem ./...

.PHONY: fuzz
FUZZTIME ?= 1m
fuzz: ## Every fuzz target for FUZZTIME each (default 1m).
	hack/fuzz.sh $(FUZZTIME)

.PHONY: clean
clean: ## Remove what was built.
	rm -rf bin dist
