package container

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/docker"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/imagedefaults"
	"github.com/mesos-operator/mesos-operator/internal/codec"
)

// defaultPath is what Docker searches where an image says nothing.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// nameOf is the container's name for Docker, as Mesos makes it.
func nameOf(id containerizer.ID) string { return "mesos-" + string(id) }

// command settles what runs. A task's command is told to the agent's executor, which is in the
// container as well.
func command(c *isolator.Container, spec *specs.Spec, at Connection) error {
	d := c.Rootfs.Defaults
	spec.Process.Cwd = cmp.Or(d.WorkingDir, "/")
	if c.Docker.WorkingDir != nil {
		spec.Process.Cwd = *c.Docker.WorkingDir
	}
	theirs := c.Config.Command
	if c.Config.Task != nil {
		theirs = c.Config.Task.GetCommand()
	}
	run, err := c.Docker.Command(theirs, d.Entrypoint, d.Cmd)
	if err != nil {
		return fmt.Errorf("determining the launch command: %w", err)
	}
	if c.Config.Task == nil {
		spec.Process.Args = run.GetArguments()
		spec.Process.Env = imagedefaults.Environment(spec.Process.Env, theirs.GetEnvironment(), d.Env)
		spec.Process.Env = imagedefaults.Environment(spec.Process.Env, nil, slices.Concat(marks(c), c.Docker.Env))
		return nil
	}
	signal, err := docker.SignalNumber(cmp.Or(c.Docker.StopSignal, d.StopSignal, "SIGTERM"))
	if err != nil {
		return fmt.Errorf("the image's stop signal: %w", err)
	}
	told, err := json.Marshal(Environment(c, spec))
	if err != nil {
		return err
	}
	text, err := codec.Marshal(codec.JSON, run)
	if err != nil {
		return fmt.Errorf("passing the task's command on: %w", err)
	}
	inspected, err := inspect(c, spec, at)
	if err != nil {
		return fmt.Errorf("describing the container: %w", err)
	}
	spec.Process.Args = append(slices.Clone(spec.Process.Args), "--docker", "--task_command="+string(text),
		"--task_environment="+string(told), "--stop_signal="+strconv.Itoa(signal), "--task_data="+string(inspected))
	return nil
}

// Environment is that of a command task but for its command's own variables: what the image and
// the options say, and what any program in a container is told. Nothing of the agent's.
func Environment(c *isolator.Container, spec *specs.Spec) []string {
	env := []string{"PATH=" + defaultPath, "HOME=" + home(c, spec)}
	if spec.Process.Terminal {
		env = append(env, "TERM=xterm")
	}
	if name := hostname(c); name != "" {
		env = append(env, "HOSTNAME="+name)
	}
	return imagedefaults.Environment(env, nil, slices.Concat(c.Rootfs.Defaults.Env, marks(c), c.Docker.Env))
}

// marks are the variables by which a container knows that it is Mesos's.
func marks(c *isolator.Container) []string {
	return []string{"MESOS_SANDBOX=" + c.Inside, "MESOS_CONTAINER_NAME=" + nameOf(c.ID)}
}
