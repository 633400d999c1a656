package launch

import (
	"os"
	"path/filepath"
	"strconv"
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

// writeStatus writes under another name first, so that the file is whole when
// it can be seen.
func writeStatus(file string, status syscall.WaitStatus) error {
	dir, name := filepath.Split(file)
	temporary := filepath.Join(dir, "."+name)
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
