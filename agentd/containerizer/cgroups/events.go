package cgroups

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Event is a v1 notification of the kernel: something that is counted.
type Event struct{ file *os.File }

// Listen asks the kernel to count what happens to a controller's file, such as
// "memory.oom_control"; args are the words that the file's events need.
func (g *Group) Listen(controller, name, args string) (*Event, error) {
	path, err := g.File(controller, name)
	if err != nil {
		return nil, err
	}
	target, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("listening to cgroup %s: %w", g.path, err)
	}
	defer target.Close()
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("listening to cgroup %s: %w", g.path, err)
	}
	e := &Event{file: os.NewFile(uintptr(fd), name)}
	control := fmt.Sprintf("%d %d %s", fd, target.Fd(), args)
	if err := writeFile(filepath.Join(filepath.Dir(path), "cgroup.event_control"), control); err != nil {
		e.Close()
		return nil, fmt.Errorf("listening to %s of cgroup %s: %w", name, g.path, err)
	}
	return e, nil
}

// Wait returns how often it happened since the last call, once it did. The
// removal of the group counts as well.
func (e *Event) Wait(ctx context.Context) (uint64, error) {
	stop := context.AfterFunc(ctx, func() { _ = e.file.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	n, err := e.read()
	if err != nil && ctx.Err() != nil {
		return 0, ctx.Err()
	}
	return n, err
}

// Poll is Wait without waiting: zero if nothing happened.
func (e *Event) Poll() (uint64, error) {
	conn, err := e.file.SyscallConn()
	if err != nil {
		return 0, err
	}
	var buf [8]byte
	var n int
	var readErr error
	if err := conn.Control(func(fd uintptr) { n, readErr = unix.Read(int(fd), buf[:]) }); err != nil {
		return 0, err
	}
	if errors.Is(readErr, unix.EAGAIN) || readErr == nil && n < len(buf) {
		return 0, nil
	}
	return binary.NativeEndian.Uint64(buf[:]), readErr
}

func (e *Event) read() (uint64, error) {
	var buf [8]byte
	if _, err := e.file.Read(buf[:]); err != nil {
		return 0, err
	}
	return binary.NativeEndian.Uint64(buf[:]), nil
}

// Close ends the notification.
func (e *Event) Close() error { return e.file.Close() }

// Changes tells when a file is modified: v2 controllers have files of counters
// that are.
type Changes struct{ file *os.File }

// Changes begins to look at a controller's file.
func (g *Group) Changes(controller, name string) (*Changes, error) {
	path, err := g.File(controller, name)
	if err != nil {
		return nil, err
	}
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("watching %s of cgroup %s: %w", name, g.path, err)
	}
	c := &Changes{file: os.NewFile(uintptr(fd), name)}
	if _, err := unix.InotifyAddWatch(fd, path, unix.IN_MODIFY|unix.IN_DELETE_SELF); err != nil {
		c.Close()
		return nil, fmt.Errorf("watching %s of cgroup %s: %w", name, g.path, err)
	}
	return c, nil
}

// Wait returns when the file was changed or removed since the last call.
func (c *Changes) Wait(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { _ = c.file.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	var events [4096]byte // what they say is known already: look at the file
	if _, err := c.file.Read(events[:]); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return err
	}
	return nil
}

// Close ends the watch.
func (c *Changes) Close() error { return c.file.Close() }
