package container

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/docker"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
)

// network gives the container its network.
func (i *Isolator) network(c *isolator.Container, spec *specs.Spec) (Connection, error) {
	var at Connection
	switch c.Docker.Network {
	case docker.NetworkHost:
		return at, nil
	case docker.NetworkBridge:
		if i.cfg.Bridge == nil {
			return at, ErrNoBridge
		}
		var err error
		if at, err = i.cfg.Bridge.Connect(c.ID, c.Docker.Ports); err != nil {
			return at, fmt.Errorf("connecting the container to the bridge: %w", err)
		}
	}
	// The runtime brings the loopback interface of a new namespace up.
	spec.Linux.Namespaces = append(spec.Linux.Namespaces, specs.LinuxNamespace{Type: specs.NetworkNamespace, Path: at.Namespace})
	return at, nil
}

// etc makes the container's own files about names and addresses.
func (i *Isolator) etc(c *isolator.Container, spec *specs.Spec, at Connection) error {
	dir := filepath.Join(i.cfg.Dir, string(c.ID))
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return fmt.Errorf("making the container's files: %w", err)
	}
	name := hostname(c)
	if name == "" {
		name = strings.TrimSpace(i.node("/etc/hostname"))
		if name == "" {
			name, _ = os.Hostname()
		}
	}
	for file, contents := range map[string]string{
		"hostname": name + "\n", "hosts": i.hosts(c, name, at), "resolv.conf": i.resolver(c),
	} {
		path := filepath.Join(dir, file)
		if err := os.WriteFile(path, []byte(contents), 0o644); err != nil { //nolint:gosec // for every user of the container
			return fmt.Errorf("making the container's files: %w", err)
		}
		replace(spec, specs.Mount{Destination: "/etc/" + file, Type: "bind", Source: path, Options: []string{"bind", "rprivate"}})
	}
	return nil
}

// node reads a file of the node; empty if there is none.
func (i *Isolator) node(path string) string {
	data, err := os.ReadFile(filepath.Join(i.cfg.Root, path))
	if err != nil {
		return ""
	}
	return string(data)
}

// hosts is /etc/hosts.
func (i *Isolator) hosts(c *isolator.Container, name string, at Connection) string {
	text := "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
	if c.Docker.Network == docker.NetworkHost {
		text = i.node("/etc/hosts")
		if text != "" && !strings.HasSuffix(text, "\n") {
			text += "\n"
		}
	}
	for _, h := range c.Docker.Hosts {
		host, address, _ := strings.Cut(h, ":")
		if address == "host-gateway" {
			if address = at.Gateway; address == "" {
				address = "127.0.0.1"
			}
		}
		text += address + "\t" + host + "\n"
	}
	if at.Address != "" {
		text += at.Address + "\t" + name + "\n"
	}
	return text
}

// resolver is /etc/resolv.conf: the node's, with what the container or the agent's operator says.
// Servers on the node's loopback interface can't be reached from another network.
func (i *Isolator) resolver(c *isolator.Container) string {
	node := i.node("/etc/resolv.conf")
	if c.Docker.Network != docker.NetworkHost && servers(node, true) == 0 {
		// A stub resolver; what it asks itself is where systemd-resolved keeps it.
		if behind := i.node("/run/systemd/resolve/resolv.conf"); behind != "" {
			node = behind
		}
	}
	dns := c.Docker.DNS
	if none(dns) && c.Docker.Network == docker.NetworkBridge {
		dns = i.cfg.DNS
	}
	var lines []string
	for _, s := range dns.Servers {
		lines = append(lines, "nameserver "+s)
	}
	if len(dns.Search) > 0 && !slices.Equal(dns.Search, []string{"."}) {
		lines = append(lines, "search "+strings.Join(dns.Search, " "))
	}
	if len(dns.Options) > 0 {
		lines = append(lines, "options "+strings.Join(dns.Options, " "))
	}
	for line := range strings.Lines(node) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		switch fields[0] {
		case "nameserver":
			if len(dns.Servers) > 0 || c.Docker.Network != docker.NetworkHost && loopback(fields[1]) {
				continue
			}
		case "search", "domain":
			if len(dns.Search) > 0 {
				continue
			}
		case "options":
			if len(dns.Options) > 0 {
				continue
			}
		default:
			continue
		}
		lines = append(lines, strings.Join(fields, " "))
	}
	return strings.Join(append(lines, ""), "\n")
}

func none(d docker.DNS) bool { return len(d.Servers)+len(d.Search)+len(d.Options) == 0 }

// servers counts the name servers in a file, without those on the loopback interface if wanted.
func servers(text string, reachable bool) int {
	n := 0
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "nameserver" && (!reachable || !loopback(f[1])) {
			n++
		}
	}
	return n
}

func loopback(address string) bool {
	a, err := netip.ParseAddr(address)
	return err == nil && a.IsLoopback()
}
