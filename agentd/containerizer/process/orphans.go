package process

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Adopt makes the caller the parent of orphans among its descendants, so that
// it can wait for them.
func Adopt() error {
	return unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
}

// ReapOrphans waits for adopted children that have ended and returns how many.
// Containers begin sessions of their own, so a zombie of the caller's session
// is a child that other code started and will wait for; owned says so of the
// caller's children that have their own session. A child is only adopted if it
// is neither.
func ReapOrphans(owned func(pid int) bool) int {
	session, err := unix.Getsid(0)
	if err != nil {
		return 0
	}
	reaped := 0
	pids, err := childrenOf(os.Getpid())
	if err != nil {
		return 0
	}
	for _, pid := range pids {
		s, err := ReadStat(pid)
		if err != nil || s.State != 'Z' || s.Session == session || owned(pid) {
			continue
		}
		var status syscall.WaitStatus
		if n, err := syscall.Wait4(pid, &status, syscall.WNOHANG, nil); err == nil && n == pid {
			reaped++
		}
	}
	return reaped
}
