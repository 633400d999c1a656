package launch

import (
	"os"
	"strconv"
	"strings"
	"syscall"
)

// wait reaps children, adopted ones too, until the command has ended.
func wait(command int) syscall.WaitStatus {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			// No child is left though the command was not seen to end: it
			// never became ours. Nothing is known of its end.
			return syscall.WaitStatus(syscall.SIGKILL)
		case pid == command && (status.Exited() || status.Signaled()):
			return status
		}
	}
}

// endAll ends what the command left behind: the container ends with its first
// process, also while no agent is there to see to it.
func endAll() {
	for {
		pids := children()
		if len(pids) == 0 {
			return
		}
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		// Their children become ours in turn.
		if _, err := syscall.Wait4(-1, nil, 0, nil); err != nil && err != syscall.EINTR {
			return
		}
	}
}

// children lists the stage's children, those of every thread.
func children() []int {
	const tasks = "/proc/self/task"
	dir, err := os.Open(tasks)
	if err != nil {
		return nil
	}
	defer dir.Close()
	threads, err := dir.Readdirnames(-1)
	if err != nil {
		return nil
	}
	var pids []int
	for _, thread := range threads {
		data, err := os.ReadFile(tasks + "/" + thread + "/children")
		if err != nil {
			continue
		}
		for field := range strings.FieldsSeq(string(data)) {
			if pid, err := strconv.Atoi(field); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// writeStatus writes under another name first, so that the file is whole when
// it can be seen.
func writeStatus(file string, status syscall.WaitStatus) error {
	temporary := file + ".new"
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if _, err := f.WriteString(strconv.Itoa(int(status))); err != nil {
		f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(temporary, file)
}
