package mesos

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/cgroups/devices"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/runtime"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/runtime/posix"
	"github.com/mesos-operator/mesos-operator/agentd/paths"
)

// nestedDir is the directory for nested containers in that of their parent, and
// for their sandboxes in its sandbox; the second is Mesos's name.
const nestedDir = "containers"

// maxDepth bounds nesting, as Mesos does: names of files have limits.
const maxDepth = 32

// checkID refuses names that are no file names.
func checkID(id containerizer.ID) error {
	if id.Depth() >= maxDepth {
		return fmt.Errorf("%w: containers are nested at most %d deep", containerizer.ErrUnsupported, maxDepth)
	}
	for ; id != ""; id = id.Parent() {
		if err := paths.CheckID(id.Name()); err != nil {
			return err
		}
	}
	return nil
}

// parentOf finds the parent of a new container, which must not be about to end.
// The mutex is held. nil is that of an outermost container.
func (m *Containerizer) parentOf(id containerizer.ID) (*container, error) {
	parent := id.Parent()
	if parent == "" {
		return nil, nil
	}
	p := m.containers[parent]
	if p == nil {
		return nil, fmt.Errorf("%w %s does not exist", containerizer.ErrParent, parent)
	}
	select {
	case <-p.done:
		return nil, fmt.Errorf("%w %s does not exist", containerizer.ErrParent, parent)
	default:
	}
	if p.ending {
		return nil, fmt.Errorf("%w %s is in 'DESTROYING' state", containerizer.ErrParent, parent)
	}
	return p, nil
}

// inherit completes the configuration of a nested container by its parent's.
func inherit(cfg containerizer.Config, parent *container) containerizer.Config {
	if parent == nil {
		return cfg
	}
	if cfg.User == "" {
		cfg.User = parent.cfg.User
	}
	cfg.FrameworkID = parent.cfg.FrameworkID
	cfg.Sandbox = filepath.Join(parent.cfg.Sandbox, nestedDir, cfg.ID.Name())
	cfg.CheckpointDir = ""
	return cfg
}

// sharesCgroups says that a container is in its parent's limits alone. It has a
// cgroup of its own all the same, by which it is found and measured.
func sharesCgroups(cfg containerizer.Config) bool {
	return cfg.ID.Parent() != "" &&
		(cfg.Class == containerizer.ClassDebug || cfg.Container.GetLinuxInfo().GetShareCgroups())
}

// isolatorsOf picks those of a container: a debug container has its parent's isolation,
// one that shares cgroups none of cgroups.
func (m *Containerizer) isolatorsOf(cfg containerizer.Config) []isolator.Isolator {
	if cfg.Class == containerizer.ClassDebug {
		return nil
	}
	var out []isolator.Isolator
	for _, i := range m.isolators {
		// What devices the outermost has, all below it are to have, and not more: a
		// runtime that starts one of them has to be told.
		if !sharesCgroups(cfg) || !strings.HasPrefix(i.Name(), "cgroups/") || i.Name() == devices.Name {
			out = append(out, i)
		}
	}
	return out
}

// runtimeOf picks the runtime of a new container. What joins everything of its
// parent is started by a fork: an OCI runtime would make it a container of its own.
func (m *Containerizer) runtimeOf(cfg containerizer.Config) runtime.Runtime {
	if cfg.Class == containerizer.ClassDebug {
		return m.runtimes[posix.Name]
	}
	return m.runtimes[m.cfg.Runtime]
}

// makeSandbox makes the sandbox of a nested container in its parent's, which is
// the task's: nothing in there is followed out of it.
func (c *container) makeSandbox(who specs.User) error {
	if c.parent == nil {
		return nil
	}
	root, err := os.OpenRoot(c.parent.cfg.Sandbox)
	if err != nil {
		return fmt.Errorf("making the sandbox: %w", err)
	}
	defer root.Close()
	if err := root.MkdirAll(nestedDir, 0o755); err != nil {
		return fmt.Errorf("making the sandbox: %w", err)
	}
	dir := filepath.Join(nestedDir, c.id.Name())
	if err := root.Mkdir(dir, 0o750); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("making the sandbox: %w", err)
	}
	if int(who.UID) == syscall.Geteuid() {
		return nil
	}
	if err := root.Lchown(dir, int(who.UID), int(who.GID)); err != nil {
		return fmt.Errorf("making the sandbox: %w", err)
	}
	return nil
}

// Namespaces that a nested container shares with its parent in any case, and those that a debug
// container joins as well. The mount namespace is last: it changes what names mean.
var (
	sharedNamespaces = []specs.LinuxNamespaceType{specs.NetworkNamespace, specs.UTSNamespace}
	joinedNamespaces = append(sharedNamespaces[:2:2], specs.IPCNamespace, specs.PIDNamespace, specs.MountNamespace)
)

// namespaceFile is the name of a namespace in /proc/<pid>/ns.
var namespaceFile = map[specs.LinuxNamespaceType]string{
	specs.NetworkNamespace: "net", specs.IPCNamespace: "ipc", specs.UTSNamespace: "uts",
	specs.PIDNamespace: "pid", specs.MountNamespace: "mnt",
}

// joinParent has a nested container share what its parent has, and a debug container
// all of it: namespaces, working directory and environment.
func (m *Containerizer) joinParent(c *container, spec *specs.Spec) error {
	p := c.parent
	if p == nil {
		return nil
	}
	select {
	case <-p.launched:
	case <-c.ctx.Done():
		return c.ctx.Err()
	}
	select {
	case <-p.done:
		return fmt.Errorf("%w %s has ended", containerizer.ErrParent, p.id)
	default:
	}
	types := sharedNamespaces
	if c.cfg.Class == containerizer.ClassDebug {
		types = joinedNamespaces
		spec.Process.Cwd = m.workingDirectory(p)
		spec.Process.Env = debugEnvironment(p, c.cfg)
	} else if c.cfg.Container.GetLinuxInfo().GetSharePidNamespace() {
		types = append(types[:2:2], specs.PIDNamespace)
	}
	for _, t := range types {
		if file := m.differing(p.iso.PID, namespaceFile[t]); file != "" {
			spec.Linux.Namespaces = append(spec.Linux.Namespaces, specs.LinuxNamespace{Type: t, Path: file})
		}
	}
	return nil
}

// differing is the file of a process's namespace, if that is not the one in
// which containers are started anyway.
func (m *Containerizer) differing(pid int, kind string) string {
	start := "/proc/self/ns/" + kind
	if kind == "mnt" && m.cfg.MountNamespace != "" {
		start = m.cfg.MountNamespace
	}
	file := "/proc/" + strconv.Itoa(pid) + "/ns/" + kind
	ours, err1 := os.Readlink(start)
	theirs, err2 := os.Readlink(file)
	if err1 != nil || err2 != nil || ours == theirs {
		return ""
	}
	return file
}

// workingDirectory is where a container's command was started.
func (m *Containerizer) workingDirectory(c *container) string {
	if c.cfg.Class == containerizer.ClassDebug && c.parent != nil {
		return m.workingDirectory(c.parent)
	}
	if c.process.cwd != "" {
		return c.process.cwd
	}
	return cmp.Or(m.defaultsOf(c).WorkingDir, c.iso.Inside)
}

// debugEnvironment is the parent's with the container's own over it.
func debugEnvironment(parent *container, cfg containerizer.Config) []string {
	env := environmentOf(parent)
	maps.Copy(env, cfg.Environment)
	return listed(env)
}

// environmentOf is a container's environment. That of one that was recovered is
// only known by the kernel.
func environmentOf(c *container) map[string]string {
	list := c.process.env
	if list == nil {
		data, err := os.ReadFile("/proc/" + strconv.Itoa(c.iso.PID) + "/environ")
		if err == nil {
			list = strings.Split(string(data), "\x00")
		}
	}
	env := map[string]string{}
	for _, v := range list {
		if name, value, ok := strings.Cut(v, "="); ok {
			env[name] = value
		}
	}
	return env
}

// childrenOf lists containers directly below one. The mutex is held.
func (m *Containerizer) childrenOf(c *container) []*container {
	var out []*container
	for _, child := range m.containers {
		if child.parent == c {
			out = append(out, child)
		}
	}
	return out
}

// endChildren ends what is nested in a container that ends, and waits for it.
func (m *Containerizer) endChildren(c *container) {
	m.mu.Lock()
	c.ending = true
	children := m.childrenOf(c)
	m.mu.Unlock()
	for _, child := range children {
		select {
		case <-child.done:
		default:
			m.startDestroy(child)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), m.cfg.DestroyTimeout)
	defer cancel()
	for _, child := range children {
		select {
		case <-child.done:
		case <-ctx.Done():
			m.log.Error(ctx.Err(), "Nested container does not end", "container_id", child.id)
			return
		}
	}
}

// forgetLaunch lets go of a container that was not launched. One of our own that
// was killed meanwhile counts as launched and killed: whoever waits for it is told so.
func (m *Containerizer) forgetLaunch(c *container, err error) {
	m.sandboxEnded(c, false)
	if c.own() && errors.Is(err, containerizer.ErrDestroyed) {
		c.termination.Status = new(syscall.WaitStatus(syscall.SIGKILL))
		m.keepTermination(c)
		return
	}
	if c.own() {
		if err := os.RemoveAll(c.dir); err != nil {
			m.log.Error(err, "Removing what is left of a launch that failed", "container_id", c.id)
		}
	}
	m.mu.Lock()
	delete(m.containers, c.id)
	m.mu.Unlock()
}

// Remove implements containerizer.Containerizer.
func (m *Containerizer) Remove(_ context.Context, id containerizer.ID) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.containers[id]
	if c == nil {
		if id.Parent() != "" && m.containers[id.Root()] == nil {
			return fmt.Errorf("%w %s", containerizer.ErrUnknown, id.Root())
		}
		return nil
	}
	select {
	case <-c.done:
	default:
		return containerizer.ErrRunning
	}
	for other, inside := range m.containers {
		if other == id || other.Within(id) {
			m.sandboxGone(inside)
			delete(m.containers, other)
		}
	}
	return c.removeFiles()
}

// removeFiles removes what was kept of a container of our own after its end.
func (c *container) removeFiles() error {
	if !c.own() {
		return nil
	}
	if err := os.RemoveAll(c.dir); err != nil {
		return fmt.Errorf("removing the container's directory: %w", err)
	}
	if c.parent == nil {
		return nil
	}
	root, err := os.OpenRoot(c.parent.cfg.Sandbox)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		defer root.Close()
		err = root.RemoveAll(filepath.Join(nestedDir, c.id.Name()))
	}
	if err != nil {
		return fmt.Errorf("removing the sandbox: %w", err)
	}
	return nil
}
