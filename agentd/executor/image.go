package executor

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"syscall"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/codec"
)

// image is what the agent says about a task that has an image, by flags: Mesos's command
// executor has most of them too.
type image struct {
	// command is the task's, completed by that of the image; nil if it needs none.
	command *mesos.CommandInfo
	// dir is where the task starts; empty for the sandbox.
	dir string
	// env are the image's variables.
	env []string
	// docker says that the task is a Docker container's: env is then all of its environment
	// but for its command's own variables.
	docker bool
	// stopSignal asks the task to end; zero for SIGTERM.
	stopSignal syscall.Signal
	// data goes with the status that tells that the task runs.
	data []byte
}

// parseFlags reads the command line. Flags of Mesos's executor that say what this one finds
// as it is, since it is in the image itself, are accepted.
func parseFlags(args []string) (*image, error) {
	i := &image{}
	for _, arg := range args {
		name, value, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		var err error
		switch name {
		case "sandbox_directory", "user", "launcher_dir":
		case "working_directory":
			i.dir = value
		case "task_command":
			i.command = &mesos.CommandInfo{}
			err = codec.Unmarshal(codec.JSON, []byte(value), i.command)
		case "task_environment":
			err = json.Unmarshal([]byte(value), &i.env)
		case "docker":
			i.docker = true
		case "stop_signal":
			var n int
			n, err = strconv.Atoi(value)
			i.stopSignal = syscall.Signal(n)
		case "task_data":
			i.data = []byte(value)
		default:
			return nil, fmt.Errorf("unknown flag %q", arg)
		}
		if err != nil {
			return nil, fmt.Errorf("--%s: %w", name, err)
		}
	}
	return i, nil
}

// environment is the executor's with the image's over it, as the task has it before its
// own is added. A Docker container has nothing of the executor's.
func (i *image) environment(environ []string) []string {
	if i.docker {
		return i.env
	}
	env := newEnv(environ)
	for _, v := range i.env {
		if name, value, ok := strings.Cut(v, "="); ok {
			env.set(name, value)
		}
	}
	return env.list
}

// secrets are the variables of a task's command whose values only the executor's environment
// has, where the agent put them.
func (i *image) secrets(task *mesos.TaskInfo, environ []string) []string {
	var out []string
	for _, v := range task.GetCommand().GetEnvironment().GetVariables() {
		if i.docker && v.GetType() == mesos.Environment_Variable_SECRET {
			out = append(out, v.GetName()+"="+valueOf(environ, v.GetName()))
		}
	}
	return out
}

// commandOf is what a task runs.
func (i *image) commandOf(task *mesos.TaskInfo) *mesos.CommandInfo {
	if i.command != nil {
		return i.command
	}
	return task.GetCommand()
}
