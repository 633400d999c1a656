.PHONY: e2e
e2e: ## The whole product on a real kubelet, from make up to the leak check (root).
	hack/e2e.sh
