package docker

import (
	"errors"
	"slices"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// ErrNoCommand says that neither framework nor image name a command.
var ErrNoCommand = errors.New("no command is specified")

// Command is what a container runs: the framework's command after what the image always begins
// with, or else the image's own. A value that is not for a shell is the first argument, as on
// Docker's command line, and not the program.
func (p *Plan) Command(c *mesos.CommandInfo, entrypoint, cmd []string) (*mesos.CommandInfo, error) {
	if c.GetShell() {
		if c.Value == nil {
			return nil, errors.New("a shell command without a value")
		}
		return completed(c, []string{"/bin/sh", "-c", c.GetValue()}), nil
	}
	if p.Entrypoint != nil {
		entrypoint, cmd = nil, nil
		if *p.Entrypoint != "" {
			entrypoint = []string{*p.Entrypoint}
		}
	}
	args := c.GetArguments()
	if c.Value != nil {
		args = slices.Concat([]string{c.GetValue()}, args)
	}
	if len(args) == 0 {
		args = cmd
	}
	all := slices.Concat(entrypoint, args)
	if len(all) == 0 || all[0] == "" {
		return nil, ErrNoCommand
	}
	return completed(c, all), nil
}

func completed(c *mesos.CommandInfo, args []string) *mesos.CommandInfo {
	return &mesos.CommandInfo{
		Shell: new(false), Value: new(args[0]), Arguments: args,
		User: c.User, Environment: c.Environment, Uris: c.Uris,
	}
}
