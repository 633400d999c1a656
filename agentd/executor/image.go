package executor

import (
	"encoding/json"
	"fmt"
	"strings"

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
// own is added.
func (i *image) environment(environ []string) []string {
	env := newEnv(environ)
	for _, v := range i.env {
		if name, value, ok := strings.Cut(v, "="); ok {
			env.set(name, value)
		}
	}
	return env.list
}

// commandOf is what a task runs.
func (i *image) commandOf(task *mesos.TaskInfo) *mesos.CommandInfo {
	if i.command != nil {
		return i.command
	}
	return task.GetCommand()
}
