package container

import (
	"encoding/json"
	"fmt"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// The parts of what "docker inspect" tells of a container that clients of Mesos read, by
// Docker's names. Environments are left out: they have secrets.
type (
	inspected struct {
		ID              string `json:"Id"`
		Name            string
		Image           string
		State           inspectedState
		Config          inspectedConfig
		HostConfig      inspectedHostConfig
		Mounts          []inspectedMount
		NetworkSettings inspectedNetworks
	}
	inspectedState struct {
		Status  string
		Running bool
	}
	inspectedConfig struct {
		Hostname   string
		Image      string
		User       string
		WorkingDir string
		Labels     map[string]string
	}
	inspectedHostConfig struct {
		NetworkMode string
		Privileged  bool
		ShmSize     int64
	}
	inspectedMount struct {
		Type, Source, Destination, Mode string
		RW                              bool
	}
	inspectedNetworks struct {
		inspectedNetwork
		Ports    map[string][]inspectedPort
		Networks map[string]inspectedNetwork
	}
	inspectedNetwork struct {
		IPAddress, Gateway, MacAddress string
		IPPrefixLen                    int
	}
	inspectedPort struct{ HostIP, HostPort string }
)

// MarshalJSON has Docker's spelling of a name that Go spells otherwise.
func (p inspectedPort) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]string{"HostIp": p.HostIP, "HostPort": p.HostPort})
}

// inspect describes the container as "docker inspect" does, which Mesos's executor of Docker
// containers sends along with TASK_RUNNING.
func inspect(c *isolator.Container, spec *specs.Spec, at Connection) ([]byte, error) {
	image, p := c.Docker.Image.GetDocker().GetName(), c.Docker
	network := inspectedNetwork{IPAddress: at.Address, Gateway: at.Gateway, MacAddress: at.MAC, IPPrefixLen: at.Bits}
	out := inspected{
		ID: string(c.ID), Name: "/" + nameOf(c.ID), Image: image,
		State: inspectedState{Status: "running", Running: true},
		Config: inspectedConfig{
			Hostname: hostname(c), Image: image, User: fmt.Sprint(spec.Process.User.UID), WorkingDir: spec.Process.Cwd, Labels: p.Labels,
		},
		HostConfig: inspectedHostConfig{NetworkMode: p.Network.String(), Privileged: p.Privileged, ShmSize: p.ShmSize},
		Mounts:     []inspectedMount{{Type: "bind", Source: c.Config.Sandbox, Destination: c.Inside, RW: true}},
		NetworkSettings: inspectedNetworks{
			inspectedNetwork: network, Ports: map[string][]inspectedPort{}, Networks: map[string]inspectedNetwork{p.Network.String(): network},
		},
	}
	for _, port := range p.Ports {
		key := fmt.Sprintf("%d/%s", port.Container, port.Protocol)
		out.NetworkSettings.Ports[key] = append(out.NetworkSettings.Ports[key], inspectedPort{"0.0.0.0", fmt.Sprint(port.Host)})
	}
	for _, v := range p.Volumes {
		m := inspectedMount{Type: "bind", Source: v.GetHostPath(), Destination: v.GetContainerPath(), RW: v.GetMode() != mesos.Volume_RO}
		if m.Source == "" {
			m.Source = v.GetSource().GetHostPath().GetPath()
		}
		m.Mode = strings.ToLower(v.GetMode().String())
		out.Mounts = append(out.Mounts, m)
	}
	return json.Marshal([]inspected{out})
}
