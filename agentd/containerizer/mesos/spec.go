package mesos

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"

	"github.com/moby/sys/user"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/filesystem"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/volume"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// specVersion is the version of the runtime specification that is written,
// which runtimes of 2021 know.
const specVersion = "1.0.2"

// check refuses what is not implemented, rather than to run something else.
func (m *Containerizer) check(cfg containerizer.Config) error {
	info := cfg.Container
	switch {
	case cfg.Command == nil:
		return fmt.Errorf("%w: a container without a command", containerizer.ErrUnsupported)
	case m.docker == nil && isDocker(info):
		return fmt.Errorf("%w: containers of type DOCKER: none of this agent's containerizers (mesos) runs them", containerizer.ErrUnsupported)
	case m.cfg.Docker.Only && cfg.ID.Parent() == "" && !isDocker(info):
		return fmt.Errorf("%w: none of this agent's containerizers (docker) runs containers that are not of type DOCKER", containerizer.ErrUnsupported)
	case isDocker(info):
		return m.checkDocker(cfg)
	case imageOf(cfg) != nil && m.provisioner != nil && !slices.Contains(m.cfg.Isolation, filesystem.Linux):
		return fmt.Errorf("%w: images without the isolator %s", containerizer.ErrUnsupported, filesystem.Linux)
	case len(info.GetNetworkInfos()) > 0 && info.GetNetworkInfos()[0].GetName() != "":
		return fmt.Errorf("%w: networks", containerizer.ErrUnsupported)
	}
	return m.cfg.mountable(info.GetVolumes())
}

// specify is the specification that isolators add to.
func (m *Containerizer) specify(c *container, who specs.User) (spec *specs.Spec, executable string) {
	cfg := c.cfg
	executable, args := argv(cfg.Command)
	return &specs.Spec{
		Version: specVersion,
		Process: &specs.Process{
			User: who,
			Args: args,
			Env:  m.environment(c),
			Cwd:  c.iso.Inside,
			// The agent may be protected from the kernel's killer, as a pod of
			// Kubernetes's class Guaranteed is; what it starts is not to be.
			OOMScoreAdj: m.oomScoreAdj,
		},
		Linux: &specs.Linux{
			CgroupsPath: m.groupPath(cfg.ID),
			Resources:   &specs.LinuxResources{},
		},
	}, executable
}

// nestedGroups is the group that those of nested containers are in, below that of their
// parent; the name is Mesos's.
const nestedGroups = "mesos"

// groupPath is the cgroup of a container.
func (m *Containerizer) groupPath(id containerizer.ID) string {
	if parent := id.Parent(); parent != "" {
		return filepath.Join(m.groupPath(parent), nestedGroups, id.Name())
	}
	return filepath.Join("/", m.cfg.CgroupsRoot, string(id))
}

// argv is the executable of a command and its arguments, the first of which is
// its name.
func argv(c *mesos.CommandInfo) (executable string, args []string) {
	if c.GetShell() {
		return "/bin/sh", []string{"sh", "-c", c.GetValue()}
	}
	if len(c.GetArguments()) == 0 {
		return c.GetValue(), []string{c.GetValue()}
	}
	return c.GetValue(), c.GetArguments()
}

func (m *Containerizer) environment(c *container) []string {
	env := maps.Clone(c.cfg.Environment)
	if env == nil {
		env = map[string]string{}
	}
	own := slices.ContainsFunc(c.cfg.Command.GetEnvironment().GetVariables(), func(v *mesos.Environment_Variable) bool {
		return v.GetName() == "MESOS_SANDBOX"
	})
	if _, ok := env["MESOS_SANDBOX"]; !ok || c.iso.Rootfs != nil && !own {
		env["MESOS_SANDBOX"] = c.iso.Inside
	}
	if m.seesSocket(c) {
		env[socketVariable] = m.socketOf(c).path()
	} else if c.iso.Rootfs != nil {
		delete(env, socketVariable) // the way by TCP is left
	}
	if c.offNode() {
		delete(env, "LIBPROCESS_IP") // which is the node's
	}
	return listed(env)
}

// socketVariable tells executors of the agent's domain socket.
const socketVariable = "MESOS_DOMAIN_SOCKET"

// seesSocket says whether an executor is to find the agent's domain socket in its image: not in
// a read-only one that has no place for it.
func (m *Containerizer) seesSocket(c *container) bool {
	dir := m.socketOf(c).Dir
	return dir != "" && c.iso.Rootfs != nil && c.cfg.Executor != nil &&
		(c.cfg.Environment[socketVariable] != "" || c.offNode()) && volume.InImage(&c.iso, dir) == nil
}

// socketOf is the socket of a container with an image. One that is not on the node's network has
// no other way to the agent.
func (m *Containerizer) socketOf(c *container) ExecutorSocket {
	if c.offNode() {
		return m.cfg.Docker.Socket
	}
	return m.cfg.ExecutorSocket
}

// bringSocket shows it the socket: the directory, in which a restarted agent makes a new one.
func (m *Containerizer) bringSocket(c *container, spec *specs.Spec) {
	if !m.seesSocket(c) {
		return
	}
	dir := m.socketOf(c).Dir
	spec.Mounts = append(spec.Mounts, specs.Mount{
		Destination: dir, Source: dir, Type: "bind", Options: []string{"bind", "ro", "nosuid", "nodev", "noexec"},
	})
}

// listed is an environment in the form of environ(7), sorted.
func listed(env map[string]string) []string {
	list := make([]string, 0, len(env))
	for _, name := range slices.Sorted(maps.Keys(env)) {
		list = append(list, name+"="+env[name])
	}
	return list
}

// resolve looks a user up among those of the containers' mount namespace. Empty
// is the agent's own.
func (m *Containerizer) resolve(name string) (specs.User, error) {
	if name == "" {
		return specs.User{UID: uint32(syscall.Geteuid()), GID: uint32(syscall.Getegid())}, nil
	}
	u, err := user.GetExecUserPath(name, nil, filepath.Join(m.root, "/etc/passwd"), filepath.Join(m.root, "/etc/group"))
	if err != nil {
		return specs.User{}, fmt.Errorf("looking up user %q: %w", name, err)
	}
	who := specs.User{UID: uint32(u.Uid), GID: uint32(u.Gid), Username: name}
	for _, g := range u.Sgids {
		who.AdditionalGids = append(who.AdditionalGids, uint32(g))
	}
	if syscall.Geteuid() != 0 && u.Uid != syscall.Geteuid() {
		return specs.User{}, fmt.Errorf("becoming user %q (%s): the agent is not root", name, strconv.Itoa(u.Uid))
	}
	return who, nil
}
