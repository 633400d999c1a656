package toolchain

import "strings"

// Tool is a program that is built from a Go module of its own below hack/localkube.
type Tool struct {
	// Name names the tool's folder in the cache.
	Name string
	// Dir is the module's folder, relative to the work tree's root.
	Dir string
	// Package is what to build.
	Package string
	// From is the module whose version is the tool's version; empty for a program of
	// this module, whose version is its source.
	From string
	// Programs are the names the binary is called by; the first one is the binary,
	// the others are links to it.
	Programs []string
	// LDFlags are the linker's flags for a version such as "v1.36.3".
	LDFlags func(version string) string
}

// Kubernetes is all programs of Kubernetes in one binary.
var Kubernetes = Tool{
	Name: "kubernetes", Dir: "hack/localkube/kube", Package: ".", From: "k8s.io/kubernetes",
	Programs: []string{"kube", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl"},
	LDFlags:  kubernetesLDFlags,
}

// Etcd is etcd's server.
var Etcd = Tool{
	Name: "etcd", Dir: "hack/localkube/etcd", Package: "go.etcd.io/etcd/server/v3", From: "go.etcd.io/etcd/server/v3",
	Programs: []string{"etcd"},
}

// CoreDNS is the cluster's DNS server; it runs from an image.
var CoreDNS = Tool{
	Name: "coredns", Dir: "hack/localkube/coredns", Package: ".", From: "github.com/coredns/coredns",
	Programs: []string{"coredns"},
}

// Helm installs the project's chart.
var Helm = Tool{
	Name: "helm", Dir: "hack/localkube/helm", Package: "helm.sh/helm/v4/cmd/helm", From: "helm.sh/helm/v4",
	Programs: []string{"helm"},
}

// Pause holds a pod's namespaces open.
var Pause = Tool{Name: "pause", Dir: "hack/localkube/cmd/pause", Package: ".", Programs: []string{"pause"}}

// Probe is the workload of the smoke test.
var Probe = Tool{Name: "probe", Dir: "hack/localkube/cmd/probe", Package: ".", Programs: []string{"probe"}}

// kubernetesLDFlags stamp the version: clients take it for the API they may use,
// and the API server refuses to emulate a version that it can't parse. Everything
// else about the build is in the binary's own build information.
func kubernetesLDFlags(version string) string {
	const pkg = "k8s.io/component-base/version."
	major, rest, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	minor, _, _ := strings.Cut(rest, ".")
	var b strings.Builder
	for _, kv := range [][2]string{
		{"gitVersion", version}, {"gitMajor", major}, {"gitMinor", minor}, {"gitTreeState", "clean"},
	} {
		b.WriteString(" -X " + pkg + kv[0] + "=" + kv[1])
	}
	return b.String()
}
