package launch

import (
	"encoding/json"
	"errors"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"unsafe"
)

func init() {
	if len(os.Args) > 1 && os.Args[1] == Name {
		os.Exit(run())
	}
}

// prSetChildSubreaper is PR_SET_CHILD_SUBREAPER of prctl(2).
const prSetChildSubreaper = 36

// run is the life of the stage. It returns its exit code.
func run() int {
	// Namespaces, and the file system root that children inherit, belong to a
	// thread: everything happens on this one.
	runtime.LockOSThread()
	closeOnExec(ConversationFD)
	c := converse(os.NewFile(ConversationFD, "agent"))
	pid, req, err := c.start()
	if err != nil {
		c.reply(Reply{Error: err.Error()})
		return 1
	}
	// Until now a signal ended the stage, and with it nothing else.
	ignoreSignals()
	c.reply(Reply{PID: pid})
	c.close()

	code := wait(pid)
	err = writeStatus(req.StatusFile, code)
	endAll()
	req.logs.drain()
	if err != nil {
		os.Stderr.WriteString("Failed to keep the exit status of the container: " + err.Error() + "\n")
		return 1
	}
	return 0
}

// closeOnExec keeps descriptors from the command: also those that the agent
// inherited from whoever started it. Linux has it for a range since 5.11;
// before, only our own is kept.
func closeOnExec(from int) {
	const sysCloseRange, flagCloseOnExec = 436, 4 // the same on all architectures
	syscall.CloseOnExec(from)
	_, _, _ = syscall.RawSyscall(sysCloseRange, uintptr(from), ^uintptr(0)>>32, flagCloseOnExec)
}

// start gets the request and starts its command.
func (c *conversation) start() (pid int, req *Request, err error) {
	req = &Request{}
	if err := c.in.Decode(req); err != nil {
		return 0, nil, errors.New("reading the agent's request: " + err.Error())
	}
	for _, file := range req.Cgroups {
		if err := join(file); err != nil {
			return 0, nil, err
		}
	}
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, prSetChildSubreaper, 1, 0); errno != 0 {
		return 0, nil, errors.New("becoming the parent of orphans: " + errno.Error())
	}
	c.reply(Reply{Ready: true})
	var permission Go
	if err := c.in.Decode(&permission); err != nil {
		return 0, nil, errors.New("waiting for the agent: " + err.Error())
	}
	if req.logs, err = openLogs(req.Logs); err != nil {
		return 0, nil, err
	}
	switch {
	case req.OCI != nil:
		pid, err = req.OCI.start()
	case req.Command != nil:
		pid, err = req.Command.start()
	default:
		err = errors.New("the agent asked for no command")
	}
	req.logs.begin()
	return pid, req, err
}

// join moves the stage into a cgroup. Its threads come along.
func join(file string) error {
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		return errors.New("joining a cgroup: " + err.Error())
	}
	_, err = f.WriteString(strconv.Itoa(os.Getpid()))
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.New("joining a cgroup: " + err.Error())
	}
	return nil
}

// conversation is with the agent.
type conversation struct {
	file *os.File
	in   *json.Decoder
}

func converse(f *os.File) *conversation {
	return &conversation{file: f, in: json.NewDecoder(f)}
}

// reply tells the agent, if there still is one.
func (c *conversation) reply(r Reply) {
	if data, err := json.Marshal(r); err == nil {
		_, _ = c.file.Write(append(data, '\n'))
	}
}

func (c *conversation) close() { _ = c.file.Close() }

// ignored are the signals that people send to what they want to end. The agent
// sends them to the command, and ends the stage by its cgroup.
var ignored = []syscall.Signal{
	syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGUSR2,
}

// ignoreSignals does what os/signal would do if it could be imported here. The
// command doesn't inherit it: it runs already.
func ignoreSignals() {
	const ignore = 1 // SIG_IGN
	action := struct {
		handler, flags, restorer uintptr
		mask                     uint64
	}{handler: ignore}
	for _, s := range ignored {
		_, _, _ = syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(s), uintptr(unsafe.Pointer(&action)), 0,
			unsafe.Sizeof(action.mask), 0, 0)
	}
}
