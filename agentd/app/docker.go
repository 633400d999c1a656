package app

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/bridge"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/docker"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/mesos"
	v1 "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/flags"
)

// dockerFlags are the settings of containers of type DOCKER.
type dockerFlags struct {
	containerizers string
	dns            *json.RawMessage
	bridge, subnet string
}

func (f *dockerFlags) define(s *flags.Set) {
	s.String(&f.containerizers, "containerizers", "mesos",
		"Types of containers to run: mesos, docker. Docker containers need no Docker daemon. Default: mesos, and docker with --image_providers=DOCKER.")
	flags.Optional(s, &f.dns, "default_container_dns", flags.JSONType,
		`Name servers of Docker containers on the network BRIDGE that name none: {"docker":[{"network_mode":"BRIDGE","dns":{"nameservers":["192.0.2.1"]}}]}.`)
	s.String(&f.bridge, "docker_bridge", "mesos0", "Interface of the network BRIDGE for Docker containers, made with the first of them; empty for no such network.")
	s.String(&f.subnet, "docker_bridge_subnet", "172.29.0.0/16", "Addresses of that network. Agents of one machine need a bridge and a subnet each.")
}

// The containerizers of Mesos.
const (
	mesosContainers  = "mesos"
	dockerContainers = "docker"
)

// names reads --containerizers.
func (f *dockerFlags) names() ([]string, error) {
	var names []string
	for name := range strings.SplitSeq(f.containerizers, ",") {
		name = strings.TrimSpace(name)
		if name != mesosContainers && name != dockerContainers {
			return nil, fmt.Errorf("--containerizers=%s: want mesos, docker or both", f.containerizers)
		}
		names = append(names, name)
	}
	return names, nil
}

// runsDocker says whether there are containers of type DOCKER: if they are named, or if nobody
// says anything and there are images for them.
func (f *Flags) runsDocker() bool {
	names, err := f.container.names()
	if err != nil || slices.Contains(names, dockerContainers) {
		return err == nil
	}
	providers, err := mesos.ParseProviders(given(f.image.providers))
	return err == nil && !f.set.Given("containerizers") && slices.Contains(providers, v1.Image_DOCKER)
}

// docker puts them into the configuration of containers. Images are settled before.
func (f *Flags) docker(cfg *mesos.Config) error {
	names, err := f.container.names()
	if err != nil {
		return err
	}
	d := &cfg.Docker
	d.Only = !slices.Contains(names, mesosContainers)
	if d.Enabled = f.runsDocker(); !d.Enabled {
		return nil
	}
	if d.DNS, err = f.container.defaultDNS(); err != nil || f.container.bridge == "" {
		return err
	}
	subnet, err := netip.ParsePrefix(f.container.subnet)
	if err != nil {
		return fmt.Errorf("--docker_bridge_subnet: %w", err)
	}
	d.Bridge, err = bridge.New(bridge.Config{Name: f.container.bridge, Subnet: subnet, Dir: filepath.Join(f.RuntimeDir, "bridge")})
	return err
}

// defaultDNS reads what of --default_container_dns is for Docker's bridge.
func (f *dockerFlags) defaultDNS() (docker.DNS, error) {
	var in struct {
		Docker []struct {
			Mode string `json:"network_mode"`
			DNS  struct {
				Servers []string `json:"nameservers"`
				Search  []string `json:"search"`
				Options []string `json:"options"`
			} `json:"dns"`
		} `json:"docker"`
	}
	if f.dns == nil {
		return docker.DNS{}, nil
	}
	if err := json.Unmarshal(*f.dns, &in); err != nil {
		return docker.DNS{}, fmt.Errorf("--default_container_dns: %w", err)
	}
	var out docker.DNS
	seen := false
	for _, d := range in.Docker {
		if d.Mode != v1.ContainerInfo_DockerInfo_BRIDGE.String() {
			continue
		}
		if seen {
			return out, fmt.Errorf("--default_container_dns: there is more than one for network_mode BRIDGE")
		}
		seen, out = true, docker.DNS{Servers: d.DNS.Servers, Search: d.DNS.Search, Options: d.DNS.Options}
	}
	return out, nil
}
