package docker

import (
	"errors"
	"fmt"
	"strings"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// Network is how a container is connected.
type Network int

// The networks there are.
const (
	// NetworkHost is that of the node.
	NetworkHost Network = iota
	// NetworkNone has a loopback interface and nothing else.
	NetworkNone
	// NetworkBridge is one of the agent's own, whose containers reach the world by the node's
	// address, and are reached by ports of it.
	NetworkBridge
)

// String is the network's name for Docker.
func (n Network) String() string { return [...]string{"host", "none", "bridge"}[n] }

// Port is a port of the node by which a container is reached.
type Port struct {
	Host, Container uint16
	// Protocol is "tcp" or "udp".
	Protocol string
}

// networkOf names the network that a framework asks for, as "docker run" has it. Mesos's
// default is the node's.
func networkOf(info *mesos.ContainerInfo) string {
	n := info.GetDocker().GetNetwork()
	if n != mesos.ContainerInfo_DockerInfo_USER {
		return strings.ToLower(n.String())
	}
	if infos := info.GetNetworkInfos(); len(infos) == 1 {
		return infos[0].GetName()
	}
	return ""
}

// connect settles the network.
func (p *Plan) connect(name string, mappings []*mesos.ContainerInfo_DockerInfo_PortMapping) error {
	switch name {
	case "host":
		p.Network = NetworkHost
	case "none":
		p.Network = NetworkNone
	case "bridge", "default":
		p.Network = NetworkBridge
	case "":
		return errors.New("network USER needs exactly one of network_infos, with a name")
	default:
		return fmt.Errorf("this agent has no network '%s': it has host, bridge and none", name)
	}
	if p.Network == NetworkHost && p.Hostname != "" {
		return errors.New("a container on the node's network can't have a hostname of its own")
	}
	if len(mappings) > 0 && p.Network != NetworkBridge {
		return fmt.Errorf("port_mappings are for the network BRIDGE, not for '%s'", p.Network)
	}
	for _, m := range mappings {
		port, err := portOf(m)
		if err != nil {
			return err
		}
		p.Ports = append(p.Ports, port)
	}
	return nil
}

func portOf(m *mesos.ContainerInfo_DockerInfo_PortMapping) (Port, error) {
	host, inside := m.GetHostPort(), m.GetContainerPort()
	if host == 0 || host > 65535 || inside == 0 || inside > 65535 {
		return Port{}, fmt.Errorf("port mapping %d to %d: want numbers from 1 to 65535", host, inside)
	}
	port := Port{Host: uint16(host), Container: uint16(inside), Protocol: "tcp"}
	switch protocol := strings.ToLower(m.GetProtocol()); protocol {
	case "", "tcp":
	case "udp":
		port.Protocol = protocol
	default:
		return Port{}, fmt.Errorf("port mapping %d: protocol '%s': want tcp or udp", host, m.GetProtocol())
	}
	return port, nil
}

// holds says whether a port is among resources.
func holds(resources []*mesos.Resource, port uint64) bool {
	for _, r := range resources {
		if r.GetName() != "ports" {
			continue
		}
		for _, part := range r.GetRanges().GetRange() {
			if part.GetBegin() <= port && port <= part.GetEnd() {
				return true
			}
		}
	}
	return false
}
