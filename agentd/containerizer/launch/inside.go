package launch

import (
	"errors"
	"os"
	"runtime"
	"syscall"
)

// forkInside starts the command from a thread that has joined its namespaces and
// ends with that: the stage itself stays where its files are.
func (c *Command) forkInside() (pid int, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlock
		if err = enter(c.Namespaces); err == nil {
			pid, err = c.fork()
		}
	}()
	<-done
	return pid, err
}

// enter moves the calling thread. All files are opened first: their names mean
// something else inside. A thread that shares its root and working directory with
// others may not change its mount namespace, hence the unshare.
func enter(files []string) error {
	var fds []*os.File
	defer func() {
		for _, f := range fds {
			f.Close()
		}
	}()
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return errors.New("opening a namespace: " + err.Error())
		}
		fds = append(fds, f)
	}
	if err := syscall.Unshare(syscall.CLONE_FS); err != nil {
		return errors.New("leaving the stage's file system context: " + err.Error())
	}
	for i, f := range fds {
		if _, _, errno := syscall.RawSyscall(sysSetns, f.Fd(), 0, 0); errno != 0 {
			return errors.New("joining " + files[i] + ": " + errno.Error())
		}
	}
	return nil
}
