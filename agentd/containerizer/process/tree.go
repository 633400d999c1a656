package process

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Snapshot is all processes of the machine that can be seen, by process ID.
type Snapshot map[int]Stat

// Take reads the table of processes. Those that end meanwhile are left out.
func Take() (Snapshot, error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	all := make(Snapshot, len(names))
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if s, err := ReadStat(pid); err == nil {
			all[pid] = s
		}
	}
	return all, nil
}

// Tree returns a process and its descendants that have not ended, parents
// before children.
func (all Snapshot) Tree(root int) []Stat {
	children := all.children()
	var tree []Stat
	queue := []int{root}
	seen := map[int]bool{root: true}
	for len(queue) > 0 {
		pid := queue[0]
		queue = queue[1:]
		if s, ok := all[pid]; ok && !s.Ended() {
			tree = append(tree, s)
		}
		for _, child := range children[pid] {
			if !seen[child] {
				seen[child] = true
				queue = append(queue, child)
			}
		}
	}
	return tree
}

// Tree returns a process and its descendants that have not ended, parents before
// children, without looking at other processes if the kernel lists children.
func Tree(root int) ([]Stat, error) {
	var tree []Stat
	for queue := []int{root}; len(queue) > 0; queue = queue[1:] {
		children, err := childrenOf(queue[0])
		if err != nil {
			all, err := Take()
			return all.Tree(root), err
		}
		if s, err := ReadStat(queue[0]); err == nil && !s.Ended() {
			tree = append(tree, s)
		}
		queue = append(queue, children...)
	}
	return tree, nil
}

// TakeBelow is Take for a process and its descendants only, which costs nothing for
// what else runs on the machine.
func TakeBelow(root int) (Snapshot, error) {
	tree, err := Tree(root)
	all := make(Snapshot, len(tree))
	for _, s := range tree {
		all[s.PID] = s
	}
	return all, err
}

// childrenOf lists the children of a process, those of every thread. None are
// those of a process that is gone; an error means that this kernel has no such lists
// (it was built without CONFIG_PROC_CHILDREN).
func childrenOf(pid int) ([]int, error) {
	tasks := "/proc/" + strconv.Itoa(pid) + "/task"
	threads, err := os.ReadDir(tasks)
	if err != nil {
		return nil, nil
	}
	var pids []int
	for _, thread := range threads {
		data, err := os.ReadFile(tasks + "/" + thread.Name() + "/children")
		if err != nil {
			if _, gone := os.Stat(tasks + "/" + thread.Name()); gone == nil && errors.Is(err, fs.ErrNotExist) {
				return nil, err
			}
			continue
		}
		for field := range strings.FieldsSeq(string(data)) {
			if child, err := strconv.Atoi(field); err == nil {
				pids = append(pids, child)
			}
		}
	}
	return pids, nil
}

// Family is Tree, and every process that is in a process group or session that
// one of the tree's processes leads, and the trees of those: a task's
// processes that lost their parents are still its session's.
func (all Snapshot) Family(root int) []Stat {
	family := map[int]Stat{}
	queue := []int{root}
	for len(queue) > 0 {
		pid := queue[0]
		queue = queue[1:]
		for _, s := range all.Tree(pid) {
			if _, known := family[s.PID]; known {
				continue
			}
			family[s.PID] = s
			for _, o := range all {
				if _, known := family[o.PID]; !known && (o.Session == s.PID || o.Group == s.PID) {
					queue = append(queue, o.PID)
				}
			}
		}
	}
	out := make([]Stat, 0, len(family))
	for _, s := range family {
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b Stat) int { return a.PID - b.PID })
	return out
}

func (all Snapshot) children() map[int][]int {
	children := make(map[int][]int, len(all))
	for pid, s := range all {
		children[s.Parent] = append(children[s.Parent], pid)
	}
	return children
}

// SignalFamily signals a process and its Family among those that take shows, and
// returns how many processes that were. To leave no process unseen that is being forked, the
// processes are stopped first, until the table shows no other; they go on with
// the signal delivered.
func SignalFamily(root int, signal syscall.Signal, take func() (Snapshot, error)) (int, error) {
	stopped := map[int]bool{}
	for range stopTries {
		all, err := take()
		if err != nil {
			return 0, err
		}
		if stopNew(all.Family(root), stopped) {
			break
		}
		time.Sleep(stopWait)
	}
	for pid := range stopped {
		_ = syscall.Kill(pid, signal) // one that is gone needs no signal
	}
	for pid := range stopped {
		_ = syscall.Kill(pid, syscall.SIGCONT)
	}
	return len(stopped), nil
}

// A process stops when it next leaves the kernel, within microseconds but for
// one that waits for a disk.
const (
	stopTries = 50
	stopWait  = 200 * time.Microsecond
)

// stopNew stops those that were not, and says whether all are at rest: then
// none can have a child that the table doesn't show.
func stopNew(family []Stat, stopped map[int]bool) (rest bool) {
	rest = true
	for _, s := range family {
		switch {
		case !stopped[s.PID]:
			rest = false
			if syscall.Kill(s.PID, syscall.SIGSTOP) == nil {
				stopped[s.PID] = true
			}
		case s.State == 'R' || s.State == 'S':
			rest = false
		}
	}
	return rest
}

// KillSession kills the processes of a session, whose leader may be gone, and
// returns how many there were.
func KillSession(session int) (int, error) {
	if session == 0 {
		return 0, nil
	}
	all, err := Take()
	if err != nil {
		return 0, err
	}
	n := 0
	for _, s := range all {
		if s.Session == session && !s.Ended() && syscall.Kill(s.PID, syscall.SIGKILL) == nil {
			n++
		}
	}
	return n, nil
}
