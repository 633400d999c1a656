#!/usr/bin/env bash
# Everything CI checks, in the order in which a mistake is cheapest to learn of. A step prints one line
# when it begins and one when it has ended; the first failure ends the run.
set -euo pipefail
cd "$(dirname "$0")/.."
begin=$SECONDS

step() { # NAME COMMAND...
  local name=$1 from=$SECONDS
  shift
  printf '\n=== %s\n' "$name"
  "$@"
  printf -- '--- %s: %ds\n' "$name" $((SECONDS - from))
}

step "packages" hack/packages.sh
step "generated code" make --no-print-directory verify
step "lint" make --no-print-directory lint
step "local Kubernetes binaries" make --no-print-directory envtest-assets
step "unit, simulation, conformance, envtest, root tests" hack/gotest.sh
step "local Kubernetes module" make --no-print-directory localkube-test
step "end to end" make --no-print-directory e2e

printf '\nall of it: %ds\n' $((SECONDS - begin))
