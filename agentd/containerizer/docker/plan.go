package docker

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// ErrInvalid is wrapped by every error about what a framework asks for.
var ErrInvalid = errors.New("invalid Docker container")

// DefaultShmSize is the size in bytes of a container's /dev/shm, as Docker makes it.
const DefaultShmSize = 64 << 20

// Plan is a container of type DOCKER as the containerizer launches it.
type Plan struct {
	// Image is the image to run.
	Image *mesos.Image
	// Volumes are what of the node and the sandbox is mounted, in the terms of containers of
	// type MESOS.
	Volumes []*mesos.Volume
	// Network is how the container is connected, Ports what of it is reached from outside.
	Network Network
	Ports   []Port
	// Hostname is the container's; empty for one made of its ID, or with NetworkHost the node's.
	Hostname string

	// Env has variables in the form name=value, beside those of command and image.
	Env []string
	// Labels are the container's metadata.
	Labels map[string]string
	// User, WorkingDir and Entrypoint come before the image's; nil leaves it to that.
	User, WorkingDir, Entrypoint *string
	// Groups are further groups of the user: names or numbers.
	Groups []string
	// StopSignal asks the container to end; empty for the image's, or SIGTERM.
	StopSignal string

	// Privileged lifts all of Docker's confinement.
	Privileged bool
	// Unconfined lifts the agent's profile of system calls.
	Unconfined bool
	// NoNewPrivileges keeps programs from getting more by being executed.
	NoNewPrivileges bool
	// CapAdd and CapDrop change the set of capabilities, by the kernel's names, or ALL.
	CapAdd, CapDrop []string
	// Devices are those of the node that the container has too.
	Devices []Device
	// Tmpfs are file systems in memory.
	Tmpfs []specs.Mount
	// ReadOnly keeps the image's files from being changed.
	ReadOnly bool
	// ShmSize is the size of /dev/shm in bytes.
	ShmSize int64
	// HostPID, HostIPC and HostUTS share the node's namespaces.
	HostPID, HostIPC, HostUTS bool
	// Rlimits are resource limits of processes.
	Rlimits []specs.POSIXRlimit
	// Sysctl are kernel parameters of the container's namespaces.
	Sysctl map[string]string
	// CPUShares and OOMScoreAdj come before those made of the task's resources.
	CPUShares   *uint64
	OOMScoreAdj *int
	// Hosts are lines for /etc/hosts, in the form name:address.
	Hosts []string
	// DNS are settings for /etc/resolv.conf; those that are empty leave the node's.
	DNS DNS
}

// DNS are the settings of a resolver.
type DNS struct{ Servers, Search, Options []string }

// Device is a device of the node.
type Device struct {
	// Path is its file on the node, Inside its file in the container.
	Path, Inside string
	// Access are letters of "rwm": read, write, make nodes.
	Access string
}

// Translate makes the plan of a container that is to be launched. resources are all that it
// may use.
func Translate(info *mesos.ContainerInfo, resources []*mesos.Resource) (*Plan, error) {
	p, err := Recall(info)
	if err != nil {
		return nil, err
	}
	for _, port := range p.Ports {
		if !holds(resources, uint64(port.Host)) {
			return nil, fmt.Errorf("%w: port %d is not among the task's resources", ErrInvalid, port.Host)
		}
	}
	return p, nil
}

// Recall makes the plan of a container that was launched in an earlier life of the agent.
// Its resources may be less than they were then: its task may have ended.
func Recall(info *mesos.ContainerInfo) (*Plan, error) {
	d := info.GetDocker()
	if d == nil || d.GetImage() == "" {
		return nil, fmt.Errorf("%w: it names no image", ErrInvalid)
	}
	p := &Plan{
		Image: &mesos.Image{
			Type: mesos.Image_DOCKER.Enum(), Cached: new(!d.GetForcePullImage()),
			Docker: &mesos.Image_Docker{Name: new(d.GetImage())},
		},
		Privileged: d.GetPrivileged(), Hostname: info.GetHostname(), ShmSize: DefaultShmSize, Labels: map[string]string{},
	}
	if d.VolumeDriver != nil {
		return nil, fmt.Errorf("%w: volume_driver: there is no Docker daemon to have volume drivers", ErrInvalid)
	}
	for _, v := range info.GetVolumes() {
		if err := p.addVolume(v); err != nil {
			return nil, fmt.Errorf("%w: volume %s: %w", ErrInvalid, v.GetContainerPath(), err)
		}
	}
	network := networkOf(info)
	for _, parameter := range d.GetParameters() {
		if err := p.parameter(parameter, &network); err != nil {
			return nil, fmt.Errorf("%w: parameter '%s': %w", ErrInvalid, parameter.GetKey(), err)
		}
	}
	if err := p.connect(network, d.GetPortMappings()); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return p, nil
}

// Container is the plan in the terms of a container of type MESOS, as far as these go. What
// else the framework says of it is kept.
func (p *Plan) Container(info *mesos.ContainerInfo) *mesos.ContainerInfo {
	return &mesos.ContainerInfo{
		Type: mesos.ContainerInfo_MESOS.Enum(), Mesos: &mesos.ContainerInfo_MesosInfo{Image: p.Image},
		Volumes: p.Volumes, NetworkInfos: info.GetNetworkInfos(), Hostname: info.Hostname,
		RlimitInfo: info.RlimitInfo, TtyInfo: info.TtyInfo,
	}
}

// addVolume takes a volume of the framework.
func (p *Plan) addVolume(v *mesos.Volume) error {
	switch {
	case v.HostPath == nil && v.Source == nil:
		return errors.New("it has no host_path")
	case v.HostPath == nil && v.GetSource().GetType() == mesos.Volume_Source_DOCKER_VOLUME:
		return errors.New("there is no Docker daemon to have volumes")
	case v.HostPath == nil && v.GetSource().GetType() != mesos.Volume_Source_HOST_PATH:
		return fmt.Errorf("a Docker container can't have a volume of type %s", v.GetSource().GetType())
	case v.HostPath != nil && !filepath.IsAbs(v.GetHostPath()) && !filepath.IsAbs(v.GetContainerPath()):
		return fmt.Errorf("host_path '%s' and container_path are both relative", v.GetHostPath())
	}
	p.Volumes = append(p.Volumes, v)
	return nil
}

// bind takes a volume in the form source:destination[:options].
func (p *Plan) bind(text string) error {
	parts := strings.Split(text, ":")
	if len(parts) < 2 || len(parts) > 3 || !filepath.IsAbs(parts[1]) {
		return fmt.Errorf("%q: want /on/the/node:/in/the/container[:ro]", text)
	}
	if !filepath.IsAbs(parts[0]) {
		return fmt.Errorf("%q: there is no Docker daemon to have the volume %q", text, parts[0])
	}
	v := &mesos.Volume{HostPath: &parts[0], ContainerPath: &parts[1], Mode: mesos.Volume_RW.Enum()}
	if len(parts) == 3 {
		for option := range strings.SplitSeq(parts[2], ",") {
			switch option {
			case "ro":
				v.Mode = mesos.Volume_RO.Enum()
			case "rw", "rslave", "z", "Z": // the last two are labels of SELinux, which no container has
			default:
				return fmt.Errorf("%q: option %q is not supported", text, option)
			}
		}
	}
	p.Volumes = append(p.Volumes, v)
	return nil
}
