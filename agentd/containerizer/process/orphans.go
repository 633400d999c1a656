package process

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
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
	for _, pid := range children() {
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

// children lists the caller's children, those of every thread.
func children() []int {
	files, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		return nil
	}
	var pids []int
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			continue // the thread is gone
		}
		for field := range strings.FieldsSeq(string(data)) {
			if pid, err := strconv.Atoi(field); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}
