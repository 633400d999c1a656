# From nothing to a MesosCluster that has run a task; see docs/development/local-kubernetes.md.
# REGISTRY is needed for a cluster other than the local one: make up REGISTRY=registry.example.com/team

REGISTRY ?=
QUICKSTART := bin/localkube/quickstart
QUICKSTART_FLAGS = --run=$(LOCALKUBE_RUN) --nodes=$(NODES)

.PHONY: quickstart
quickstart: # compiles the command; quick, but for the first time on a machine
	@[ -x $(QUICKSTART) ] || echo "compiling the command that shows progress from here on (a minute or two, once)"
	@CGO_ENABLED=0 GOWORK=off $(GO) -C hack/localkube build -trimpath -o ../../$(QUICKSTART) ./cmd/quickstart

.PHONY: up
up: quickstart ## Everything: a Kubernetes (a local one if none is reachable), the operator, a MesosCluster, a task.
	@$(QUICKSTART) up $(QUICKSTART_FLAGS) --registry='$(REGISTRY)'

.PHONY: down
down: quickstart ## Remove everything that make up has made, but the built binaries.
	@$(QUICKSTART) down $(QUICKSTART_FLAGS)
