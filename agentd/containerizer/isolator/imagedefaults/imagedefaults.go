// Package imagedefaults is what the isolators docker/runtime and appc/runtime have in
// common: they give a container what its image says about how to run it, as far as the
// framework doesn't say otherwise.
//
// # Whose word counts
//
//	                          environment           command                          working directory
//	executor, nested, alone   framework's, image's, framework's if there is one,     image's, else the sandbox
//	                          agent's               else merged with the image's
//	command task              likewise, for the task; what is the task's is told to the agent's own executor by
//	                          flags, which has the agent's environment itself
package imagedefaults

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/provisioner/store"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/codec"
)

// ErrNoExecutable says that neither framework nor image name a command.
var ErrNoExecutable = errors.New("no executable is found")

// Merge completes a framework's command by its image's. nil says that the framework's is
// complete.
func Merge(c *mesos.CommandInfo, d store.Defaults) (*mesos.CommandInfo, error) {
	switch {
	case c.GetShell() && c.Value == nil:
		return nil, errors.New("shell specified but no command value provided")
	case c.Value != nil:
		return nil, nil
	}
	// Arguments replace the image's, and come after what it always begins with. An AppC
	// image always begins with its program only.
	fixed, standard := d.Entrypoint, d.Cmd
	if d.Type == mesos.Image_APPC && len(fixed) > 0 {
		fixed, standard = fixed[:1], fixed[1:]
	}
	if len(fixed) == 0 && len(standard) > 0 {
		fixed, standard = standard[:1], standard[1:]
	}
	if len(fixed) == 0 {
		return nil, ErrNoExecutable
	}
	arguments := c.GetArguments()
	if len(arguments) == 0 {
		arguments = standard
	}
	return &mesos.CommandInfo{
		Shell: new(false), Value: new(fixed[0]), Arguments: slices.Concat(fixed, arguments),
		User: c.User, Environment: c.Environment, Uris: c.Uris,
	}, nil
}

// Apply gives a container what its image says.
func Apply(c *isolator.Container, spec *specs.Spec) error {
	d := c.Rootfs.Defaults
	if c.Config.Task != nil {
		return tell(c, d, spec)
	}
	command, err := Merge(c.Config.Command, d)
	if err != nil {
		return fmt.Errorf("determining the launch command: %w", err)
	}
	if command != nil {
		spec.Process.Args = command.GetArguments()
	}
	spec.Process.Env = Environment(spec.Process.Env, c.Config.Command.GetEnvironment(), d.Env)
	spec.Process.Cwd = cmp.Or(d.WorkingDir, spec.Process.Cwd)
	return nil
}

// Environment puts an image's variables over an environment, but for those that the
// framework sets.
func Environment(env []string, theirs *mesos.Environment, image []string) []string {
	env = slices.Clone(env)
	for _, v := range image {
		name, _, ok := strings.Cut(v, "=")
		if !ok || slices.ContainsFunc(theirs.GetVariables(), func(t *mesos.Environment_Variable) bool { return t.GetName() == name }) {
			continue
		}
		i := slices.IndexFunc(env, func(have string) bool { return strings.HasPrefix(have, name+"=") })
		if i < 0 {
			env = append(env, v)
		} else {
			env[i] = v
		}
	}
	return env
}

// tell tells the command executor what concerns its task.
func tell(c *isolator.Container, d store.Defaults, spec *specs.Spec) error {
	command, err := Merge(c.Config.Task.GetCommand(), d)
	if err != nil {
		return fmt.Errorf("determining the launch command: %w", err)
	}
	args := slices.Clone(spec.Process.Args)
	if command != nil {
		text, err := codec.Marshal(codec.JSON, command)
		if err != nil {
			return fmt.Errorf("passing the task's command on: %w", err)
		}
		args = append(args, "--task_command="+string(text))
	}
	if d.WorkingDir != "" {
		args = append(args, "--working_directory="+d.WorkingDir)
	}
	if len(d.Env) > 0 {
		text, err := json.Marshal(d.Env)
		if err != nil {
			return fmt.Errorf("passing the task's environment on: %w", err)
		}
		args = append(args, "--task_environment="+string(text))
	}
	spec.Process.Args = args
	return nil
}
