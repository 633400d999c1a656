// Package chart renders the Helm chart with Helm itself and compares it with what it has to
// agree with: the manifests for kubectl in config/default, the operator's flags, and what
// its own schema promises to refuse.
//
// `make envtest-assets` builds Helm and kubectl; where they are missing the tests skip.
package chart
