package check

import (
	"context"
	"fmt"
	"syscall"

	"google.golang.org/protobuf/proto"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// Command runs a command in the surroundings of a task and returns its wait status.
// When the context ends it kills the command and returns that context's error.
// Errors that say nothing about the task wrap ErrTransient.
type Command func(context.Context, *mesos.CommandInfo) (syscall.WaitStatus, error)

// New makes the watch of a check. report is called, from the watch's goroutine, when
// a probe found out something else than the one before.
func New(info *mesos.CheckInfo, run Command, report func(*mesos.CheckStatusInfo)) (*Watch, error) {
	p, err := checkProbe(info, run)
	if err != nil {
		return nil, err
	}
	w := newWatch(timing{seconds(info.GetDelaySeconds()), seconds(info.GetIntervalSeconds()), seconds(info.GetTimeoutSeconds())}, p)
	last := Empty(info)
	w.result = func(o outcome, err error) {
		now := Empty(info)
		if err == nil {
			fill(now, o)
		}
		if !proto.Equal(now, last) {
			last = now
			report(now)
		}
	}
	return w, nil
}

func fill(s *mesos.CheckStatusInfo, o outcome) {
	switch s.GetType() {
	case mesos.CheckInfo_COMMAND:
		s.Command.ExitCode = o.exit
	case mesos.CheckInfo_HTTP:
		s.Http.StatusCode = o.code
	case mesos.CheckInfo_TCP:
		s.Tcp.Succeeded = &o.connected
	}
}

func checkProbe(info *mesos.CheckInfo, run Command) (probe, error) {
	switch info.GetType() {
	case mesos.CheckInfo_COMMAND:
		return commandProbe(info.GetCommand().GetCommand(), run), nil
	case mesos.CheckInfo_HTTP:
		return httpProbe("http", mesos.NetworkInfo_IPv4, info.GetHttp().GetPort(), info.GetHttp().GetPath()), nil
	case mesos.CheckInfo_TCP:
		return tcpProbe(mesos.NetworkInfo_IPv4, info.GetTcp().GetPort()), nil
	}
	return nil, fmt.Errorf("check of unknown type %v", info.GetType())
}

func commandProbe(command *mesos.CommandInfo, run Command) probe {
	return func(ctx context.Context) (outcome, error) {
		status, err := run(ctx, command)
		if err != nil {
			return outcome{}, err
		}
		if !status.Exited() {
			return outcome{}, fmt.Errorf("the command was ended by signal %d", status.Signal())
		}
		return outcome{exit: new(int32(status.ExitStatus()))}, nil
	}
}
