// Package config holds what a localkube is made from: where its state and its
// binaries live, how many nodes it has, and the addresses it uses. Every other
// package of the module may import it; it imports none of them.
package config

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
)

// Name is the prefix of everything localkube puts on the machine under a name:
// its cgroup, its nftables table, its links.
const Name = "localkube"

// Marker is the environment variable that every process started by localkube
// carries; its value is the run folder. The leak check looks for it.
const Marker = "LOCALKUBE_RUN"

// MaxNodes bounds Config.Nodes: the node's number is the last byte of its
// address (plus 10) and the third byte of its pods' range.
const MaxNodes = 100

// Config says what to run and where.
type Config struct {
	// RunDir holds the state of the running cluster and is removed with it.
	RunDir string
	// CacheDir holds built binaries and images, keyed by version.
	CacheDir string
	// RepoDir is the root of the project's work tree.
	RepoDir string
	// Nodes is the number of nodes, named node1, node2, ...
	Nodes int

	// NodeCIDR is the network of the bridge: the host is its first address, node i
	// its address 10+i. PodCIDR is cut into one /24 a node. ServiceCIDR holds the
	// virtual addresses.
	NodeCIDR, PodCIDR, ServiceCIDR netip.Prefix
}

// Default is the configuration without any flag, but for RepoDir and CacheDir.
func Default() Config {
	return Config{
		RunDir:      "/var/lib/mesos-operator/localkube",
		Nodes:       1,
		NodeCIDR:    netip.MustParsePrefix("10.99.0.0/24"),
		PodCIDR:     netip.MustParsePrefix("10.244.0.0/16"),
		ServiceCIDR: netip.MustParsePrefix("10.96.0.0/16"),
	}
}

// Validate reports every field that can't be used.
func (c Config) Validate() error {
	var errs []error
	for name, dir := range map[string]string{"run": c.RunDir, "cache": c.CacheDir, "repo": c.RepoDir} {
		if !filepath.IsAbs(dir) || filepath.Clean(dir) == "/" {
			errs = append(errs, fmt.Errorf("--%s: %q must be an absolute folder other than /", name, dir))
		}
	}
	if c.Nodes < 1 || c.Nodes > MaxNodes {
		errs = append(errs, fmt.Errorf("--nodes: %d is not within 1..%d", c.Nodes, MaxNodes))
	}
	ranges := []netip.Prefix{c.NodeCIDR, c.PodCIDR, c.ServiceCIDR}
	for i, a := range ranges {
		for _, b := range ranges[i+1:] {
			if a.Overlaps(b) {
				errs = append(errs, fmt.Errorf("address ranges %s and %s overlap", a, b))
			}
		}
	}
	return errors.Join(errs...)
}

// Path joins elements below the run folder.
func (c Config) Path(elem ...string) string {
	return filepath.Join(append([]string{c.RunDir}, elem...)...)
}

// Kubeconfig is the administrator's kubeconfig.
func (c Config) Kubeconfig() string { return c.Path("kubeconfig") }

// Server is the API server's URL as the host and the nodes reach it.
func (c Config) Server() string { return fmt.Sprintf("https://%s:6443", c.HostAddr()) }

// HostAddr is the host's address on the bridge.
func (c Config) HostAddr() netip.Addr { return offset(c.NodeCIDR, 0, 1) }

// APIServiceAddr is the virtual address of the "kubernetes" Service, by
// Kubernetes's rule the first of the range.
func (c Config) APIServiceAddr() netip.Addr { return offset(c.ServiceCIDR, 0, 1) }

// DNSAddr is the virtual address of the cluster's DNS.
func (c Config) DNSAddr() netip.Addr { return offset(c.ServiceCIDR, 0, 10) }

// Node describes one node of a cluster.
type Node struct {
	// Name is the Kubernetes node's name and the host name inside of it.
	Name string
	// Index counts from 1.
	Index int
	// Addr is the node's address on the bridge.
	Addr netip.Addr
	// PodCIDR is the range of its pods.
	PodCIDR netip.Prefix
}

// Node returns the i-th node, counted from 1.
func (c Config) Node(i int) Node {
	return Node{
		Name:    fmt.Sprintf("node%d", i),
		Index:   i,
		Addr:    offset(c.NodeCIDR, 0, 10+i),
		PodCIDR: netip.PrefixFrom(offset(c.PodCIDR, i, 0), 24),
	}
}

// AllNodes returns the nodes in order.
func (c Config) AllNodes() []Node {
	nodes := make([]Node, c.Nodes)
	for i := range nodes {
		nodes[i] = c.Node(i + 1)
	}
	return nodes
}

// offset adds to the last two bytes of an IPv4 prefix's first address.
func offset(p netip.Prefix, third, fourth int) netip.Addr {
	b := p.Masked().Addr().As4()
	b[2] += byte(third)
	b[3] += byte(fourth)
	return netip.AddrFrom4(b)
}
