#!/usr/bin/env bash
# Generates everything anew and fails if that changes a file, so that generated code in the tree is
# always the code its sources give. go.mod must be tidy for the same reason.
set -euo pipefail
cd "$(dirname "$0")/.."
before=$(git status --porcelain; git diff)
make --no-print-directory generate
go mod tidy
after=$(git status --porcelain; git diff)
if [ "$before" != "$after" ]; then
  echo "generated files or go.mod are stale; run 'make generate' and 'go mod tidy' and commit:" >&2
  diff <(echo "$before") <(echo "$after") | head -40 >&2 || true
  exit 1
fi
echo "generated code is current"
