package switchboard

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/spawn"
)

// Options say what to start a switchboard for.
type Options struct {
	// Dir is a directory for sockets, with a short name. ID tells containers apart.
	Dir, ID string
	// Terminals is where terminals are made: /dev/ptmx, or that of a node.
	Terminals string
	// TTY says that the container has a terminal, with Rows and Columns unless they
	// are zero; Console that the OCI runtime makes it.
	TTY, Console  bool
	Rows, Columns uint32
	// Owner and Group get the terminal.
	Owner, Group int
	// Session says that the container is started for a client.
	Session bool
	// Stdout and Stderr are files that keep the output.
	Stdout, Stderr *os.File
}

// Streams are the container's ends. They are closed once it has them.
type Streams struct {
	Stdin, Stdout, Stderr *os.File
	// Life is for the launch stage of a container with a terminal to hold: its end
	// is that of the output.
	Life *os.File
	// ConsoleSocket is the path on which the OCI runtime is to bring the terminal, if
	// Console was asked for; Stdin and the others are then of no use to the container.
	ConsoleSocket string
}

// Close closes the files.
func (s *Streams) Close() {
	for _, f := range []*os.File{s.Stdin, s.Stdout, s.Stderr, s.Life} {
		if f != nil {
			f.Close()
		}
	}
}

// Start starts a switchboard. It is to be waited for.
func Start(ctx context.Context, spawner *spawn.Spawner, o Options) (*spawn.Child, *Streams, error) {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("switchboard: %w", err)
	}
	listener, err := listen(Socket(o.Dir, o.ID))
	if err != nil {
		return nil, nil, fmt.Errorf("switchboard: %w", err)
	}
	defer listener.Close()
	end, err := createVerdict(o.Dir, o.ID)
	if err != nil {
		return nil, nil, fmt.Errorf("switchboard: %w", err)
	}
	defer end.Close()
	theirs, ours, err := o.streams()
	if err != nil {
		return nil, nil, fmt.Errorf("switchboard: %w", err)
	}
	defer closeAll(ours)
	args := []string{Name}
	for flag, set := range map[string]bool{
		flagTTY: o.TTY && !o.Console, flagConsole: o.TTY && o.Console, flagSession: o.Session,
	} {
		if set {
			args = append(args, flag)
		}
	}
	child, err := spawner.Start(ctx, spawn.Command{
		Args: args, Env: []string{"GOTRACEBACK=none"},
		Files: append([]*os.File{nil, o.Stdout, o.Stderr, listener, end}, ours...),
	})
	if err != nil {
		theirs.Close()
		return nil, nil, fmt.Errorf("switchboard: %w", err)
	}
	return child, theirs, nil
}

// streams makes the container's ends and those of the switchboard.
func (o Options) streams() (*Streams, []*os.File, error) {
	switch {
	case o.TTY && o.Console:
		path := consoleSocket(o.Dir, o.ID)
		listener, err := listen(path)
		if err != nil {
			return nil, nil, err
		}
		life, held, err := pipe()
		return &Streams{ConsoleSocket: path, Life: held}, []*os.File{listener, life}, err
	case o.TTY:
		master, slave, err := o.terminal()
		if err != nil {
			return nil, nil, err
		}
		life, held, err := pipe()
		return &Streams{Stdin: slave, Stdout: slave, Stderr: slave, Life: held}, []*os.File{master, life}, err
	}
	theirs, ours := &Streams{}, make([]*os.File, 3)
	var errs [3]error
	theirs.Stdin, ours[0], errs[0] = pipe()
	ours[1], theirs.Stdout, errs[1] = pipe()
	ours[2], theirs.Stderr, errs[2] = pipe()
	if err := errors.Join(errs[:]...); err != nil {
		theirs.Close()
		closeAll(ours)
		return nil, nil, err
	}
	return theirs, ours, nil
}

// pipe is os.Pipe, but for ends that block, as the container expects of its streams.
func pipe() (r, w *os.File, err error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return nil, nil, fmt.Errorf("making a pipe: %w", err)
	}
	return os.NewFile(uintptr(fds[0]), "pipe"), os.NewFile(uintptr(fds[1]), "pipe"), nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		if f != nil {
			f.Close()
		}
	}
}

// terminal makes a terminal. Its other side is opened through the first: there is no
// name for it that the agent and the container would both know.
func (o Options) terminal() (master, slave *os.File, err error) {
	fd, err := unix.Open(o.Terminals, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("making a terminal: %w", err)
	}
	master = os.NewFile(uintptr(fd), "terminal")
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		master.Close()
		return nil, nil, fmt.Errorf("unlocking a terminal: %w", err)
	}
	peer, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), unix.TIOCGPTPEER, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)
	if errno != 0 {
		master.Close()
		return nil, nil, fmt.Errorf("opening a terminal: %w", errno)
	}
	slave = os.NewFile(peer, "terminal")
	if o.Rows > 0 && o.Columns > 0 {
		// Not the switchboard: the container may look before that begins.
		if err := setWindow(slave, WindowFrame(o.Rows, o.Columns).Data); err != nil {
			master.Close()
			slave.Close()
			return nil, nil, fmt.Errorf("setting the size of a terminal: %w", err)
		}
	}
	if o.Owner != os.Geteuid() {
		if err := slave.Chown(o.Owner, o.Group); err != nil {
			master.Close()
			slave.Close()
			return nil, nil, fmt.Errorf("giving the terminal away: %w", err)
		}
	}
	return master, slave, nil
}

// Socket is where the switchboard of a container listens.
func Socket(dir, id string) string {
	sum := sha256.Sum256([]byte(id))
	return filepath.Join(dir, hex.EncodeToString(sum[:8]))
}

func consoleSocket(dir, id string) string { return Socket(dir, id) + ".tty" }

// Remove removes what a switchboard leaves in the directory.
func Remove(dir, id string) error {
	var errs []error
	for _, path := range []string{Socket(dir, id), consoleSocket(dir, id), verdict(dir, id)} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// listen listens on a path, whoever did so before.
func listen(path string) (*os.File, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var file *os.File
	err := reach(path, func(name string) error {
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: name, Net: "unix"})
		if err != nil {
			return err
		}
		defer l.Close()
		l.SetUnlinkOnClose(false)
		file, err = l.File()
		return err
	})
	return file, err
}

// reach calls f with a name for a path that is short enough for a socket, whatever
// the directory's is.
func reach(path string, f func(name string) error) error {
	dir, err := os.OpenFile(filepath.Dir(path), unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	defer dir.Close()
	return f("/proc/self/fd/" + strconv.Itoa(int(dir.Fd())) + "/" + filepath.Base(path))
}
