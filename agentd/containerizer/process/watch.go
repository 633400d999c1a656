package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Watch waits for the end of a process without holding a thread: the kernel's
// process descriptor is watched by the Go runtime's poller.
type Watch struct {
	id Identity
	fd *os.File
}

// Open begins to watch. The error wraps ErrGone if that process no longer
// exists; a zombie can be watched.
func Open(id Identity) (*Watch, error) {
	fd, err := unix.PidfdOpen(id.PID, unix.PIDFD_NONBLOCK)
	if errors.Is(err, unix.ESRCH) {
		return nil, fmt.Errorf("%w: %d", ErrGone, id.PID)
	} else if err != nil {
		return nil, fmt.Errorf("watching process %d: %w", id.PID, err)
	}
	// The descriptor refers to whoever has the PID by now: compare afterwards.
	if now, err := Identify(id.PID); err != nil || now.Start != id.Start {
		unix.Close(fd)
		return nil, fmt.Errorf("%w: %d is another process", ErrGone, id.PID)
	}
	return &Watch{id: id, fd: os.NewFile(uintptr(fd), "pidfd")}, nil
}

// Wait returns when the process has ended, with its wait status if it was a
// child of the caller (and is then reaped), else nil.
func (w *Watch) Wait(ctx context.Context) (*syscall.WaitStatus, error) {
	stop := context.AfterFunc(ctx, func() { _ = w.fd.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	conn, err := w.fd.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("waiting for process %d: %w", w.id.PID, err)
	}
	err = conn.Read(func(fd uintptr) bool { return ended(int(fd)) })
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, fmt.Errorf("waiting for process %d: %w", w.id.PID, err)
	}
	return w.reap(), nil
}

// Signal sends a signal, never to another process that got the PID.
func (w *Watch) Signal(signal syscall.Signal) error {
	conn, err := w.fd.SyscallConn()
	if err != nil {
		return err
	}
	var sendErr error
	err = conn.Control(func(fd uintptr) {
		sendErr = unix.PidfdSendSignal(int(fd), signal, nil, 0)
	})
	if errors.Is(sendErr, unix.ESRCH) {
		return fmt.Errorf("%w: %d", ErrGone, w.id.PID)
	}
	return errors.Join(err, sendErr)
}

// Identity returns what is watched.
func (w *Watch) Identity() Identity { return w.id }

// Close ends the watch.
func (w *Watch) Close() error { return w.fd.Close() }

// ended asks without waiting whether a process descriptor is readable, which
// it is from the end of the process on.
func ended(fd int) bool {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(fds, 0)
		if err != unix.EINTR {
			return n > 0 && fds[0].Revents != 0
		}
	}
}

// reap takes the status of a child that has ended; nil if it is no child.
func (w *Watch) reap() *syscall.WaitStatus {
	var status syscall.WaitStatus
	for {
		pid, err := syscall.Wait4(w.id.PID, &status, syscall.WNOHANG, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || pid != w.id.PID {
			return nil
		}
		return &status
	}
}
