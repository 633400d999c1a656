package mesos

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/docker"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/cgroups/devices"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/filesystem"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/linux/capabilities"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/namespaces/ipc"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/namespaces/pid"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/network/ports"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/posix/rlimits"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/volume/hostpath"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/volume/sandboxpath"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/runtime/oci"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"

	appcruntime "github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/appc/runtime"
	cgcpu "github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/cgroups/cpu"
	cgmem "github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/cgroups/mem"
	dockercontainer "github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/docker/container"
	dockerruntime "github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/docker/runtime"
	posixcpu "github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/posix/cpu"
	posixmem "github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/posix/mem"
)

// Docker says whether and how containers of type DOCKER are run.
type Docker struct {
	// Enabled has them run: --containerizers names docker. They need the Linux launcher and an
	// OCI runtime, whatever the runtime of others, and images of type DOCKER.
	Enabled bool
	// Only has no others run: --containerizers names nothing else.
	Only bool
	// Socket is where executors without the node's network reach the agent.
	Socket ExecutorSocket
	// DNS is what containers on the bridge have that name nothing themselves
	// (--default_container_dns).
	DNS docker.DNS
	// Bridge is the network of that name; nil for none.
	Bridge dockercontainer.Bridge `json:"-"`
}

func (c Config) validateDocker() error {
	if !c.Docker.Enabled {
		return nil
	}
	var errs []error
	if c.Launcher != LauncherLinux {
		errs = append(errs, fmt.Errorf("containers of type DOCKER need the launcher %s", LauncherLinux))
	}
	if !slices.Contains(c.Images.Providers, mesos.Image_DOCKER) {
		errs = append(errs, errors.New("containers of type DOCKER need images of that type"))
	}
	return errors.Join(errs...)
}

func isDocker(info *mesos.ContainerInfo) bool {
	return info != nil && info.GetType() == mesos.ContainerInfo_DOCKER
}

// checkDocker refuses Docker containers where they can't be.
func (m *Containerizer) checkDocker(cfg containerizer.Config) error {
	if cfg.ID.Parent() != "" {
		return fmt.Errorf("%w: a nested container of type DOCKER", containerizer.ErrUnsupported)
	}
	return nil
}

// translate has a Docker container in the terms of one of type MESOS, and returns what that
// can't express; nil for other containers.
func (m *Containerizer) translate(cfg *containerizer.Config) (*docker.Plan, error) {
	return m.planned(cfg, func() (*docker.Plan, error) { return docker.Translate(cfg.Container, cfg.Resources) })
}

// retranslate is translate for a container that runs.
func (m *Containerizer) retranslate(cfg *containerizer.Config) (*docker.Plan, error) {
	return m.planned(cfg, func() (*docker.Plan, error) { return docker.Recall(cfg.Container) })
}

func (m *Containerizer) planned(cfg *containerizer.Config, make func() (*docker.Plan, error)) (*docker.Plan, error) {
	if !isDocker(cfg.Container) || m.docker == nil {
		return nil, nil
	}
	plan, err := make()
	if err != nil {
		return nil, err
	}
	cfg.Container = plan.Container(cfg.Container)
	return plan, nil
}

// asDocker makes a container what its plan says; nil leaves it as it is.
func (m *Containerizer) asDocker(c *container, plan *docker.Plan) {
	if plan == nil {
		return
	}
	c.iso.Docker = plan
	c.runtime = m.runtimes[oci.Name]
	c.isolators = slices.DeleteFunc(slices.Clone(m.docker.isolators), func(i isolator.Isolator) bool {
		// On another network its ports are not the node's.
		return i.Name() == ports.Name && plan.Network != docker.NetworkHost
	})
}

// offNode says that a container is not on the node's network.
func (c *container) offNode() bool {
	return c.iso.Docker != nil && c.iso.Docker.Network != docker.NetworkHost
}

// reporting are the isolators that measure and describe a container.
func (m *Containerizer) reporting(c *container) []isolator.Isolator {
	if c.iso.Docker != nil {
		return c.isolators
	}
	return m.isolators
}

// withVariables puts the variables of a task's command over an environment.
func withVariables(env []string, cfg containerizer.Config) []string {
	env = slices.Clone(env)
	for _, v := range cfg.Task.GetCommand().GetEnvironment().GetVariables() {
		env = append(env, v.GetName()+"="+cfg.Environment[v.GetName()])
	}
	return env
}

// dockerSupport is what Docker containers need beyond what all others do.
type dockerSupport struct {
	// more are isolators that --isolation doesn't name, isolators all that they have.
	more, isolators []isolator.Isolator
	// place is that of each among the kinds, by which they are ordered.
	place map[string]int
}

// needed are the isolators of every Docker container, and idle those that aren't any's: what
// they do is settled otherwise.
var (
	needed = []string{filesystem.Linux, rlimits.Name, hostpath.Name, sandboxpath.Name, cgcpu.Name, cgmem.Name, devices.Name}
	idle   = []string{
		filesystem.Posix, posixcpu.Name, posixmem.Name, capabilities.Name, ipc.Name, pid.Name, dockerruntime.Name, appcruntime.Name,
		hostpath.Name, // theirs makes what doesn't exist, as Docker does
	}
)

// supportDocker makes the isolators that are missing.
func (m *Containerizer) supportDocker() error {
	if !m.cfg.Docker.Enabled {
		return nil
	}
	d := &dockerSupport{place: map[string]int{}}
	for n, k := range kinds {
		d.place[k.name] = n
		have := slices.ContainsFunc(m.isolators, func(i isolator.Isolator) bool { return i.Name() == k.name })
		if have && k.name != hostpath.Name || !slices.Contains(needed, k.name) {
			continue
		}
		i, err := m.makeForDocker(k)
		if err != nil {
			return fmt.Errorf("containers of type DOCKER: %w", err)
		}
		d.more = append(d.more, i)
	}
	dir := filepath.Join(m.cfg.RuntimeDir, "docker")
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return fmt.Errorf("containers of type DOCKER: %w", err)
	}
	// It is everybody's: of an orphan nobody knows what it was.
	d.place[dockercontainer.Name] = len(kinds)
	m.isolators = append(m.isolators, dockercontainer.New(dockercontainer.Config{
		Dir: dir, Root: m.root, DNS: m.cfg.Docker.DNS, Bridge: m.cfg.Docker.Bridge, Granted: oci.Granted(),
	}))
	m.docker = d
	return nil
}

// makeForDocker makes an isolator for Docker containers alone.
func (m *Containerizer) makeForDocker(k kind) (isolator.Isolator, error) {
	switch k.name {
	case sandboxpath.Name:
		return sandboxpath.New(sandboxpath.Config{Mounts: true, Root: m.root, WorkDir: m.cfg.WorkDir, Groups: m.groups}), nil
	case hostpath.Name:
		return hostpath.New(hostpath.Config{Root: m.root, Create: []string{"/"}}), nil
	default:
		return k.make(m)
	}
}

// complete lists the isolators of Docker containers, in the order of kinds.
func (d *dockerSupport) complete(m *Containerizer) {
	for _, i := range m.isolators {
		if !slices.Contains(idle, i.Name()) {
			d.isolators = append(d.isolators, i)
		}
	}
	for _, i := range d.more {
		d.isolators = append(d.isolators, isolator.Tracked(i, m.cfg.Pending))
	}
	slices.SortStableFunc(d.isolators, func(a, b isolator.Isolator) int { return d.place[a.Name()] - d.place[b.Name()] })
}
