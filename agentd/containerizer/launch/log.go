package launch

import (
	"errors"
	"os"
	"strconv"
	"syscall"
	"time"
)

// Log is a stream of the command that goes into files of bounded size: the stage
// reads it from a pipe and writes it into Dir/Name, which becomes Name.1 when it
// is full, as Name.1 becomes Name.2.
type Log struct {
	// FD is 1 or 2. What the agent opened there is the file to begin with.
	FD int `json:"fd"`
	// Dir and Name are the file's.
	Dir  string `json:"dir"`
	Name string `json:"name"`
	// MaxSize is the most that a file may have, in bytes.
	MaxSize int64 `json:"max_size"`
	// Keep is how many full files are kept.
	Keep int `json:"keep,omitempty"`
	// UID and GID own the files.
	UID int `json:"uid"`
	GID int `json:"gid"`
}

// logs are those of one container.
type logs []*logWriter

// logWriter writes one log.
type logWriter struct {
	Log
	dir  int // the directory, as it was when the command had not begun to change it
	file int
	size int64
	in   *os.File
	done chan struct{}
}

// openLogs puts pipes where the command's streams are to be.
func openLogs(requested []Log) (logs, error) {
	var out logs
	for _, l := range requested {
		w := &logWriter{Log: l, done: make(chan struct{})}
		if err := w.open(); err != nil {
			return nil, errors.New("preparing log " + l.Name + ": " + err.Error())
		}
		out = append(out, w)
	}
	return out, nil
}

func (w *logWriter) open() (err error) {
	if w.dir, err = syscall.Open(w.Dir, syscall.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW|syscall.O_CLOEXEC, 0); err != nil {
		return err
	}
	if w.file, err = syscall.Dup(w.FD); err != nil {
		return err
	}
	syscall.CloseOnExec(w.file)
	var stat syscall.Stat_t
	if err := syscall.Fstat(w.file, &stat); err != nil {
		return err
	}
	w.size = stat.Size
	in, out, err := os.Pipe()
	if err != nil {
		return err
	}
	defer out.Close()
	w.in = in
	return syscall.Dup3(int(out.Fd()), w.FD, 0)
}

// begin copies, once the command runs: the stage lets go of its ends of the pipes,
// so that they close with the container's last process.
func (ls logs) begin() {
	for _, w := range ls {
		_ = syscall.Dup3(w.file, w.FD, syscall.O_CLOEXEC)
		go w.copy()
	}
}

// drainTime bounds how long what is left in a pipe may take: a process that got
// away from the container can hold it open for ever.
const drainTime = 5 * time.Second

// drain waits for what the container wrote last.
func (ls logs) drain() {
	limit := time.After(drainTime)
	for _, w := range ls {
		select {
		case <-w.done:
		case <-limit:
			return
		}
	}
}

func (w *logWriter) copy() {
	defer close(w.done)
	buffer := make([]byte, 64<<10)
	for {
		n, err := w.in.Read(buffer)
		w.write(buffer[:n])
		if err != nil {
			return
		}
	}
}

// write splits what doesn't fit. What can't be written is lost: a full disk is no
// reason to hold the command up.
func (w *logWriter) write(data []byte) {
	for len(data) > 0 {
		if w.size >= w.MaxSize {
			w.rotate()
		}
		part := data[:min(int64(len(data)), max(w.MaxSize-w.size, 1))]
		n, err := syscall.Write(w.file, part)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || n <= 0 {
			return
		}
		w.size += int64(n)
		data = data[n:]
	}
}

// rotate makes room. If it can't, it goes on with the file that it has.
func (w *logWriter) rotate() {
	w.size = 0 // or it would be tried for every byte
	for i := w.Keep; i > 0; i-- {
		from := w.Name
		if i > 1 {
			from += "." + strconv.Itoa(i-1)
		}
		_ = syscall.Renameat(w.dir, from, w.dir, w.Name+"."+strconv.Itoa(i))
	}
	if w.Keep == 0 {
		_ = syscall.Unlinkat(w.dir, w.Name)
	}
	const flags = syscall.O_WRONLY | syscall.O_APPEND | syscall.O_CREAT | syscall.O_EXCL | syscall.O_NOFOLLOW | syscall.O_CLOEXEC
	file, err := syscall.Openat(w.dir, w.Name, flags, 0o644)
	if err != nil {
		return
	}
	_ = syscall.Fchown(file, w.UID, w.GID)
	_ = syscall.Close(w.file)
	w.file = file
}
