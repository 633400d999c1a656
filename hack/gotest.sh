#!/usr/bin/env bash
# Runs the module's Go tests and prints how many there were. Arguments go to `go test`.
set -euo pipefail
cd "$(dirname "$0")/.."
export KUBEBUILDER_ASSETS=${KUBEBUILDER_ASSETS:-$PWD/bin/envtest}
# Two packages at a time: several start servers, and the machines this must pass on have two cores.
exec go tool -modfile=tools/go.mod gotestsum --format pkgname-and-test-fails --hide-summary=skipped -- \
  -count=1 -p 2 -timeout 20m "${@:-./...}"
