// Package oci is the runtime that has an OCI runtime, runc by default, create
// and start containers.
//
// # Root
//
// A container without an image has the node's file system as its root. runc
// can't pivot to the root that it runs in, so the launch stage binds "/",
// recursively, on a directory in a mount namespace of its own, and runs runc
// there: nobody else ever sees that mount, and it ends with the stage.
//
// # Cgroups
//
// The launch stage is in the container's cgroup, which has the limits; the
// container itself is in a child of it, named "oci". They can't be in the same
// one: runc refuses a cgroup that has processes, and a v2 cgroup that has some
// can't pass on controllers. Limits thus hold for both together, are set in one
// place, and change without the runtime's help. In config.json they are left out.
//
// # Images
//
// The root file system of an image is mounted by the stage as well, for the same reason and
// with the same effect: see [launch.Mount].
package oci

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/launch"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/runtime"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/spawn"
)

// Name is the runtime's name.
const Name = "oci"

// Group is the cgroup of the container itself below that with the limits.
const Group = "oci"

// Files in a container's directory.
const (
	bundleDir  = "bundle"
	configFile = "config.json"
	rootDir    = "root"
	logFile    = "oci.log"
	pidFile    = "oci.pid"
)

// Config says which runtime to use.
type Config struct {
	// Command is the runtime's executable, a path or a name to look up in the
	// containers' mount namespace.
	Command string
	// StateDir is where the runtime keeps its state (its option --root). It should
	// not outlive the boot of the machine.
	StateDir string
	// Root is a prefix by which the agent reaches the files of the containers'
	// mount namespace.
	Root string
}

// Validate tells what is wrong with a configuration.
func (c Config) Validate() error {
	if c.Command == "" || strings.ContainsAny(c.Command, " \t\n") {
		return fmt.Errorf("OCI runtime %q: want the name or path of one executable, for example runc", c.Command)
	}
	if !filepath.IsAbs(c.StateDir) {
		return fmt.Errorf("state directory %q of the OCI runtime: want an absolute path", c.StateDir)
	}
	return nil
}

// Runtime implements runtime.Runtime.
type Runtime struct {
	cfg     Config
	spawner *spawn.Spawner
}

// New returns the runtime. That its executable exists is seen when it is first used.
func New(cfg Config, spawner *spawn.Spawner) (*Runtime, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Runtime{cfg: cfg, spawner: spawner}, nil
}

// Name implements runtime.Runtime.
func (*Runtime) Name() string { return Name }

// Check implements runtime.Runtime: what a specification can say, the runtime does.
func (*Runtime) Check(*specs.Spec) error { return nil }

// Start implements runtime.Runtime.
func (r *Runtime) Start(ctx context.Context, c *runtime.Container) (*spawn.Child, int, error) {
	command, err := r.command(c.Dir)
	if err != nil {
		return nil, 0, err
	}
	o := &launch.OCI{
		Runtime: command,
		ID:      c.ID.String(),
		Bundle:  filepath.Join(c.Dir, bundleDir),
		PIDFile: filepath.Join(c.Dir, pidFile),
		Env:     runtimeEnv,
		Mounts:  c.Mounts,

		ConsoleSocket: c.ConsoleSocket,
	}
	spec := complete(c)
	if c.Spec.Root == nil {
		o.HostRoot = filepath.Join(c.Dir, rootDir)
		spec.Root = &specs.Root{Path: o.HostRoot}
	}
	if err := writeBundle(o, spec); err != nil {
		return nil, 0, err
	}
	// Its environment may have secrets, and the runtime needs it no more once the
	// container is created.
	defer os.Remove(filepath.Join(o.Bundle, configFile))
	stage, pid, err := r.spawner.Launch(ctx, spawn.Launch{
		Name:    c.ID.String(),
		Request: launch.Request{Cgroups: c.ProcsFiles(), StatusFile: c.Status(), Logs: c.Logs, OCI: o},
		Stdin:   c.Stdin, Stdout: c.Stdout, Stderr: c.Stderr, Life: c.Life,
		Keep: func(stage *spawn.Child) error { return c.Keep(stage.Identity()) },
	})
	if err != nil {
		return nil, 0, r.explain(c.Dir, err)
	}
	return stage, pid, nil
}

// runtimeEnv is the environment of the runtime itself.
var runtimeEnv = []string{"PATH=" + strings.Join(searchPath, ":"), "GOMAXPROCS=1"}

func writeBundle(o *launch.OCI, spec *specs.Spec) error {
	data, err := json.Marshal(spec)
	if err != nil {
		return fmt.Errorf("writing the bundle: %w", err)
	}
	for _, dir := range []string{o.Bundle, o.HostRoot} {
		if dir == "" {
			continue
		}
		if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("writing the bundle: %w", err)
		}
	}
	if err := os.WriteFile(filepath.Join(o.Bundle, configFile), data, 0o600); err != nil {
		return fmt.Errorf("writing the bundle: %w", err)
	}
	return nil
}

// searchPath is where an executable without a path is looked for.
var searchPath = []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}

// command is the runtime with its global options.
func (r *Runtime) command(dir string) ([]string, error) {
	path := r.cfg.Command
	if !strings.Contains(path, "/") {
		path = ""
		for _, in := range searchPath {
			candidate := filepath.Join(in, r.cfg.Command)
			if info, err := os.Stat(filepath.Join(r.cfg.Root, candidate)); err == nil && !info.IsDir() {
				path = candidate
				break
			}
		}
	}
	if path == "" {
		return nil, fmt.Errorf("OCI runtime %q is in none of %s", r.cfg.Command, strings.Join(searchPath, ", "))
	}
	return []string{path, "--root", r.cfg.StateDir,
		"--log", filepath.Join(dir, logFile), "--log-format", "json"}, nil
}

// Signal implements runtime.Runtime.
func (r *Runtime) Signal(ctx context.Context, c runtime.Running, signal syscall.Signal) error {
	return r.run(ctx, c, "kill", c.ID.String(), strconv.Itoa(int(signal)))
}

// Delete implements runtime.Runtime.
func (r *Runtime) Delete(ctx context.Context, c runtime.Running) error {
	bundle := filepath.Join(c.Dir, bundleDir)
	if _, err := os.Stat(bundle); err != nil {
		if _, err := os.Stat(filepath.Join(r.cfg.StateDir, c.ID.String())); err != nil {
			return nil // never got that far
		}
		// Somebody deleted the directory, which the runtime needs to write its log.
		if err := os.MkdirAll(bundle, 0o700); err != nil {
			return fmt.Errorf("making up for a bundle that is gone: %w", err)
		}
	}
	if err := r.run(ctx, c, "delete", "--force", c.ID.String()); err != nil {
		return err
	}
	// The root is removed as what it is, an empty directory: nothing may ever
	// remove the node's files through it. A runc that is killed can leave its file of
	// the process ID under the name that it writes it by.
	var errs []error
	for _, file := range []string{filepath.Join(c.Dir, rootDir), filepath.Join(c.Dir, logFile),
		filepath.Join(c.Dir, pidFile), filepath.Join(c.Dir, "."+pidFile), filepath.Join(bundle, configFile), bundle} {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// run runs the runtime in the containers' mount namespace and waits for it.
func (r *Runtime) run(ctx context.Context, c runtime.Running, args ...string) error {
	command, err := r.command(c.Dir)
	if err != nil {
		return err
	}
	child, err := r.spawner.Start(ctx, spawn.Command{
		Path: command[0], Args: append(command[1:], args...), Env: runtimeEnv, Files: make([]*os.File, 3),
	})
	if err != nil {
		return err
	}
	status, err := child.Wait(ctx)
	if err != nil {
		child.Kill()
		return err
	}
	if status == nil || status.ExitStatus() != 0 {
		return r.explain(c.Dir, fmt.Errorf("%s %s failed", r.cfg.Command, strings.Join(args, " ")))
	}
	return nil
}

// explain adds the last of what the runtime wrote to its log.
func (r *Runtime) explain(dir string, err error) error {
	data, readErr := os.ReadFile(filepath.Join(dir, logFile))
	if readErr != nil {
		return err
	}
	var last string
	for line := range strings.Lines(string(data)) {
		var entry struct{ Level, Msg string }
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Level == "error" {
			last = entry.Msg
		}
	}
	if last == "" {
		return err
	}
	return fmt.Errorf("%w: %s", err, last)
}
