package switchboard

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Descriptors of the process. stdout and stderr are the files of the sandbox.
const (
	listenerFD = 3
	// verdictFD is the file that tells the agent's next life how this process ended.
	verdictFD = 4
	// stdinFD is the end of the container's stdin to write to, or its terminal, or with
	// flagConsole a socket on which the OCI runtime brings the terminal.
	stdinFD  = 5
	stdoutFD = 6
	stderrFD = 7
	// lifeFD is the pipe whose other end the launch stage has, if there is a terminal.
	lifeFD = 6
)

// Flags of the process.
const (
	flagTTY     = "--tty"
	flagConsole = "--console"
	flagSession = "--session"
)

// Main is the process. It returns its exit code.
func Main(args []string) int {
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(20)
	// The container's end tells this process to end; signals are not for it.
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGPIPE)
	syscall.CloseOnExec(verdictFD)
	err := run(args)
	if err == nil {
		err = finish()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "Failed to serve the container's streams:", err)
		return 1
	}
	return 0
}

func run(args []string) error {
	listener, err := listenerOf(listenerFD)
	if err != nil {
		return err
	}
	flags := map[string]bool{}
	for _, arg := range args {
		flags[arg] = true
	}
	tty := flags[flagTTY] || flags[flagConsole]
	take := func() (*os.File, error) { return pollable(stdinFD, "stdin") }
	if flags[flagConsole] {
		take = func() (*os.File, error) { return receiveTerminal(stdinFD) }
	}
	stdin, err := take()
	if err != nil {
		return err
	}
	s := newServer(stdin, tty, flags[flagSession])
	if tty {
		life, err := pollable(lifeFD, "life")
		if err != nil {
			return err
		}
		s.endWith(life)
		s.serve(listener, source{Stdout, stdin, os.Stdout})
		return nil
	}
	stdout, err1 := pollable(stdoutFD, "stdout")
	stderr, err2 := pollable(stderrFD, "stderr")
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	s.serve(listener, source{Stdout, stdout, os.Stdout}, source{Stderr, stderr, os.Stderr})
	return nil
}

// pollable takes over a descriptor for which no thread is to wait.
func pollable(fd int, name string) (*os.File, error) {
	syscall.CloseOnExec(fd)
	if err := syscall.SetNonblock(fd, true); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

func listenerOf(fd int) (*net.UnixListener, error) {
	f := os.NewFile(uintptr(fd), "socket")
	defer f.Close()
	l, err := net.FileListener(f)
	if err != nil {
		return nil, fmt.Errorf("listening: %w", err)
	}
	unixListener, ok := l.(*net.UnixListener)
	if !ok {
		return nil, errors.New("listening: it is no unix socket")
	}
	unixListener.SetUnlinkOnClose(false)
	return unixListener, nil
}

// receiveTerminal waits for the OCI runtime to bring the container's terminal.
func receiveTerminal(fd int) (*os.File, error) {
	listener, err := listenerOf(fd)
	if err != nil {
		return nil, err
	}
	defer listener.Close()
	if err := listener.SetDeadline(time.Now().Add(firstPatience)); err != nil {
		return nil, err
	}
	conn, err := listener.AcceptUnix()
	if err != nil {
		return nil, fmt.Errorf("waiting for the terminal: %w", err)
	}
	defer conn.Close()
	data, control := make([]byte, 4096), make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := conn.ReadMsgUnix(data, control)
	if err != nil {
		return nil, fmt.Errorf("receiving the terminal: %w", err)
	}
	messages, err := unix.ParseSocketControlMessage(control[:n])
	if err != nil || len(messages) != 1 {
		return nil, fmt.Errorf("receiving the terminal: %d messages, %w", len(messages), err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return nil, fmt.Errorf("receiving the terminal: %d descriptors, %w", len(fds), err)
	}
	return pollable(fds[0], "terminal")
}
