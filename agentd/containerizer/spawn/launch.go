package spawn

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/launch"
)

// stageEnv keeps the stage small: one thread runs Go code, and no core is worth
// collecting garbage for.
var stageEnv = []string{"GOMAXPROCS=1", "GOGC=off", "GOTRACEBACK=none"}

// Launch is a container to start by a launch stage.
type Launch struct {
	// Name is shown among the stage's arguments.
	Name string
	// Request is what the stage is to do.
	Request launch.Request
	// Stdin, Stdout and Stderr are the command's; nil is closed.
	Stdin, Stdout, Stderr *os.File
	// Life is held by the stage, and not by the command, until its end; nil for none.
	Life *os.File
	// Keep is called before the command is started, and must make the
	// stage's process findable for a later life of the agent.
	Keep func(stage *Child) error
}

// Launch starts a container's first process. It returns its stage, to be waited
// for in any case, and the process ID of the command. After an error nothing
// is left of either.
func (s *Spawner) Launch(ctx context.Context, l Launch) (*Child, int, error) {
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, 0, err
	}
	defer ours.Close()
	stage, err := s.Start(ctx, Command{
		Args:  []string{launch.Name, l.Name},
		Env:   stageEnv,
		Files: []*os.File{l.Stdin, l.Stdout, l.Stderr, theirs, l.Life},
	})
	theirs.Close()
	if err != nil {
		return nil, 0, err
	}
	stop := context.AfterFunc(ctx, func() { _ = ours.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	pid, err := l.converse(ours, stage, stop)
	if err != nil {
		stage.Kill()
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, 0, fmt.Errorf("launching: %w", err)
	}
	return stage, pid, nil
}

// converse is the agent's part of what package launch describes. commit ends the
// time in which the launch can be given up, and says whether it had not been.
func (l *Launch) converse(conn net.Conn, stage *Child, commit func() bool) (int, error) {
	in, out := json.NewDecoder(conn), json.NewEncoder(conn)
	if err := out.Encode(l.Request); err != nil {
		return 0, err
	}
	if _, err := next(in); err != nil {
		return 0, err
	}
	if err := l.Keep(stage); err != nil {
		return 0, err
	}
	// From here on there may be a command, and only the reply tells which: a
	// launch given up now would leave it behind. Whoever wants it gone kills it
	// as a container that runs.
	if !commit() {
		return 0, context.Canceled
	}
	if err := out.Encode(launch.Go{}); err != nil {
		return 0, err
	}
	r, err := next(in)
	return r.PID, err
}

// next is the stage's next reply, an error if it tells one.
func next(in *json.Decoder) (launch.Reply, error) {
	var r launch.Reply
	switch err := in.Decode(&r); {
	case errors.Is(err, io.EOF):
		return r, errors.New("the launch stage ended unexpectedly")
	case err != nil:
		return r, err
	case r.Error != "":
		return r, errors.New(r.Error)
	}
	return r, nil
}

// socketPair returns the agent's end as a connection and the stage's as a file.
func socketPair() (net.Conn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("making a socket: %w", err)
	}
	ours := os.NewFile(uintptr(fds[0]), "stage")
	defer ours.Close()
	theirs := os.NewFile(uintptr(fds[1]), "agent")
	conn, err := net.FileConn(ours) // a duplicate
	if err != nil {
		theirs.Close()
		return nil, nil, fmt.Errorf("making a socket: %w", err)
	}
	return conn, theirs, nil
}
