# The operator: what is generated from its types, and its tests against a real API server.

CONTROLLER_GEN := $(TOOL) controller-gen
CHART := charts/mesos-operator

.PHONY: generate-crds
generate-crds: ## Generate deep copies, CRDs and RBAC from the Go sources, for kustomize and the chart.
	$(CONTROLLER_GEN) object paths=./api/v1alpha1/
	$(CONTROLLER_GEN) crd paths=./api/v1alpha1/ output:crd:dir=config/crd/bases
	$(CONTROLLER_GEN) rbac:roleName=mesos-operator paths=./controllers/... output:rbac:dir=config/rbac
	rm -rf $(CHART)/generated
	mkdir -p $(CHART)/generated/crds
	cp config/crd/bases/*.yaml $(CHART)/generated/crds/
	cp config/rbac/role.yaml $(CHART)/generated/

.PHONY: verify-crds
verify-crds: ## Fail if what generate-crds makes is not what the tree holds.
	@scratch=$$(mktemp -d); trap 'rm -rf "$$scratch"' EXIT; \
	paths='api/v1alpha1 config/crd config/rbac $(CHART)/generated'; \
	cp -r --parents $$paths "$$scratch"; \
	$(MAKE) --no-print-directory generate-crds >/dev/null; \
	for path in $$paths; do \
		diff -r "$$scratch/$$path" "$$path" || { echo "stale: run 'make generate-crds' and commit" >&2; exit 1; }; \
	done; \
	echo "CRDs and RBAC are current"

ENVTEST ?= $(CURDIR)/bin/envtest
.PHONY: envtest
envtest: envtest-assets ## The operator's tests against a real kube-apiserver and etcd.
	KUBEBUILDER_ASSETS=$(ENVTEST) $(GO) test -count=1 -timeout 10m ./api/v1alpha1/... ./controllers/... ./cmd/operator/...
