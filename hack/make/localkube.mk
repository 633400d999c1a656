# The project's own Kubernetes on this machine; see docs/development/local-kubernetes.md.
# NODES and LOCALKUBE_RUN may be given on the command line: make localkube-up NODES=3

NODES ?= 1
LOCALKUBE_RUN ?= /var/lib/mesos-operator/localkube
LOCALKUBE := bin/localkube/localkube
LOCALKUBE_FLAGS := --run=$(LOCALKUBE_RUN)

.PHONY: localkube
localkube: # compiles the command; quick, but for the first time on a machine
	@[ -x $(LOCALKUBE) ] || echo "compiling localkube (about a minute, once)"
	@CGO_ENABLED=0 GOWORK=off $(GO) -C hack/localkube build -trimpath -o ../../$(LOCALKUBE) ./cmd/localkube

.PHONY: localkube-up
localkube-up: localkube ## Start a real Kubernetes on this machine (root; Debian 12).
	$(LOCALKUBE) up $(LOCALKUBE_FLAGS) --nodes=$(NODES)

.PHONY: localkube-down
localkube-down: localkube ## Remove it, and prove that nothing of it is left.
	$(LOCALKUBE) down $(LOCALKUBE_FLAGS)
	$(LOCALKUBE) check $(LOCALKUBE_FLAGS)

.PHONY: localkube-check
localkube-check: localkube ## List what of it is on this machine; fails if anything is.
	$(LOCALKUBE) check $(LOCALKUBE_FLAGS)

.PHONY: localkube-test
localkube-test: localkube ## Its own unit tests, then up, smoke test, down, leak check.
	cd hack/localkube && GOWORK=off $(GO) vet ./... && GOWORK=off $(GO) test ./...
	$(LOCALKUBE) check $(LOCALKUBE_FLAGS) # refuses to touch a cluster that somebody uses
	$(LOCALKUBE) up $(LOCALKUBE_FLAGS) --nodes=$(NODES)
	$(LOCALKUBE) smoke $(LOCALKUBE_FLAGS)
	$(LOCALKUBE) down $(LOCALKUBE_FLAGS)
	$(LOCALKUBE) check $(LOCALKUBE_FLAGS)

.PHONY: envtest-assets
envtest-assets: localkube ## kube-apiserver, etcd, kubectl and Helm in bin/envtest, for KUBEBUILDER_ASSETS.
	$(LOCALKUBE) envtest-assets bin/envtest
