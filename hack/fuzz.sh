#!/usr/bin/env bash
# Runs every fuzz target of the module for the time given: fuzz.sh 1m
set -euo pipefail
cd "$(dirname "$0")/.."
for package in $(grep -rlE '^func Fuzz' --include='*_test.go' . | xargs -n1 dirname | sort -u); do
  for target in $(grep -hoE '^func Fuzz[A-Za-z0-9_]+' "$package"/*_test.go | awk '{print $2}'); do
    echo "== $package $target"
    go test -run '^$' -fuzz "^$target\$" -fuzztime "$1" "$package"
  done
done
