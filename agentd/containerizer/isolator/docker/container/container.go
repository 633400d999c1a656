// Package container is the isolator of containers of type DOCKER: it puts what their plan
// says (package docker) into the specification, over what other isolators have made of
// their image, volumes and resources. --isolation doesn't name it: it comes with
// --containerizers=docker, and does nothing for other containers.
//
// As in Docker, such a container has PID, IPC and UTS namespaces of its own, the
// user that its image names, 14 capabilities, and files of its own about names and
// addresses in /etc. Those are kept on disk as long as the container lives:
//
//	<Config.Dir>/<container>/{hosts,hostname,resolv.conf}
package container

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/docker"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// Name is the isolator's name.
const Name = "docker/container"

// Config says what the agent has for containers.
type Config struct {
	// Dir is the isolator's own directory. It has the same name for containers.
	Dir string
	// Root is a prefix by which the agent reaches the node's files.
	Root string
	// DNS is for containers that are not on the node's network and name none of their own
	// (--default_container_dns).
	DNS docker.DNS
	// Bridge is the network of that name; nil for none.
	Bridge Bridge
	// Granted are the capabilities that the agent can give.
	Granted []string
}

// Bridge is a network of the agent's own.
type Bridge interface {
	// Connect makes a network namespace with an address in the network, which lasts until
	// Disconnect at least.
	Connect(id containerizer.ID, ports []docker.Port) (Connection, error)
	// Find returns the connection of a container; the zero value for none.
	Find(id containerizer.ID) Connection
	// Disconnect gives back what a container had. One that had nothing is no error.
	Disconnect(id containerizer.ID) error
}

// Connection is how a container is connected to a bridge.
type Connection struct {
	// Namespace is the file of its network namespace.
	Namespace string
	// Address and Gateway are IPv4 addresses, Bits is the length of the network's prefix.
	Address, Gateway string
	Bits             int
	// MAC is the address of its interface.
	MAC string
}

// ErrNoBridge says that the agent has no bridge.
var ErrNoBridge = errors.New("this agent has no network BRIDGE for Docker containers: use HOST or NONE")

// Isolator implements isolator.Isolator.
type Isolator struct {
	isolator.Nop
	cfg Config
}

// New returns the isolator.
func New(cfg Config) *Isolator { return &Isolator{cfg: cfg} }

// Name implements isolator.Isolator.
func (*Isolator) Name() string { return Name }

// Prepare implements isolator.Isolator.
func (i *Isolator) Prepare(c *isolator.Container, _ isolator.Demand, spec *specs.Spec) error {
	p := c.Docker
	if p == nil {
		return nil
	}
	if c.Rootfs == nil {
		return errors.New("a Docker container needs the files of its image")
	}
	connection, err := i.network(c, spec)
	if err != nil {
		return err
	}
	namespaces(p, hostname(c), spec)
	for _, step := range []func(*isolator.Container, *specs.Spec) error{
		i.user, i.privileges, i.devices, limits, mounts,
		func(c *isolator.Container, s *specs.Spec) error { return i.etc(c, s, connection) },
		func(c *isolator.Container, s *specs.Spec) error { return command(c, s, connection) },
	} {
		if err := step(c, spec); err != nil {
			return err
		}
	}
	return nil
}

// hostname is the name that the container has for itself; empty for the node's.
func hostname(c *isolator.Container) string {
	switch {
	case c.Docker.Hostname != "":
		return c.Docker.Hostname
	case c.Docker.Network == docker.NetworkHost:
		return ""
	}
	const length = 12 // as Docker's
	return string(c.ID)[:min(length, len(c.ID))]
}

// Status implements isolator.Isolator.
func (i *Isolator) Status(c *isolator.Container, s *mesos.ContainerStatus) error {
	if c.Docker == nil || i.cfg.Bridge == nil {
		return nil
	}
	if at := i.cfg.Bridge.Find(c.ID); at.Address != "" {
		info := &mesos.NetworkInfo{IpAddresses: []*mesos.NetworkInfo_IPAddress{{
			Protocol: mesos.NetworkInfo_IPv4.Enum(), IpAddress: new(at.Address),
		}}}
		for _, p := range c.Docker.Ports {
			info.PortMappings = append(info.PortMappings, &mesos.NetworkInfo_PortMapping{
				HostPort: new(uint32(p.Host)), ContainerPort: new(uint32(p.Container)), Protocol: new(p.Protocol),
			})
		}
		s.NetworkInfos = append(s.NetworkInfos, info)
	}
	return nil
}

// Cleanup implements isolator.Isolator. It is called for orphans too, of which only the ID is
// known.
func (i *Isolator) Cleanup(c *isolator.Container) error {
	var errs []error
	if i.cfg.Bridge != nil {
		errs = append(errs, i.cfg.Bridge.Disconnect(c.ID))
	}
	if err := os.RemoveAll(filepath.Join(i.cfg.Dir, string(c.ID))); err != nil {
		errs = append(errs, fmt.Errorf("removing a Docker container's files: %w", err))
	}
	return errors.Join(errs...)
}
