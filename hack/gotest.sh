#!/usr/bin/env bash
# Runs the module's Go tests and prints how many there were. Arguments go to `go test`.
set -euo pipefail
cd "$(dirname "$0")/.."
export KUBEBUILDER_ASSETS=${KUBEBUILDER_ASSETS:-$PWD/bin/envtest}
# Property tests draw the same cases each time; `make properties` draws others, and many more.
export RAPID_SEED=${RAPID_SEED:-1}
sum=(go tool -modfile=tools/go.mod gotestsum --format pkgname-and-test-fails --hide-summary=skipped)
# Two packages at a time: several start servers, and the machines this must pass on have two cores.
flags=(-count=1 -p 2 -timeout 20m)
if [ $# -gt 0 ]; then
  exec "${sum[@]}" -- "${flags[@]}" "$@"
fi
# Of everything, the few tests that fail are run once more, and both results are printed: many of them watch
# processes on a machine that others use as well. What fails twice fails.
exec "${sum[@]}" --rerun-fails=1 --rerun-fails-max-failures=5 --rerun-fails-run-root-test --packages=./... -- "${flags[@]}"
