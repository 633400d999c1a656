package executor

import (
	"context"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// children are those that somebody waits for.
var children = struct {
	sync.Mutex
	pids map[int]bool
}{pids: map[int]bool{}}

// reap is what the first process of a PID namespace has to do: it waits for those whose
// parents have ended, which nobody else does. ctx ends it.
func reap(ctx context.Context) {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGCHLD)
	defer signal.Stop(ended)
	for {
		select {
		case <-ctx.Done():
			return
		case <-ended:
			reapOrphans()
		}
	}
}

func reapOrphans() {
	children.Lock()
	defer children.Unlock()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || children.pids[pid] || !orphaned(pid) {
			continue
		}
		var status syscall.WaitStatus
		_, _ = syscall.Wait4(pid, &status, syscall.WNOHANG, nil)
	}
}

// orphaned says whether a process is a child of ours that has ended.
func orphaned(pid int) bool {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	// The name of the program, in parentheses, may have spaces and parentheses itself.
	fields := strings.Fields(string(data)[strings.LastIndexByte(string(data), ')')+1:])
	return len(fields) > 1 && fields[0] == "Z" && fields[1] == strconv.Itoa(os.Getpid())
}

// fork starts a child that somebody is going to wait for by awaited.
func fork(path string, args []string, attr *syscall.ProcAttr) (int, error) {
	children.Lock()
	defer children.Unlock()
	pid, err := syscall.ForkExec(path, args, attr)
	if err == nil {
		children.pids[pid] = true
	}
	return pid, err
}

// awaited is await, after which the process's number is anybody's.
func awaited(pid int) *syscall.WaitStatus {
	status := await(pid)
	children.Lock()
	defer children.Unlock()
	delete(children.pids, pid)
	return status
}
