package testbed

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Patience is how long the testbed waits for what should take moments. It is
// long because a loaded machine is no fault of the daemons.
const Patience = 90 * time.Second

// Process is a daemon under test, which may be killed and started again with the
// same flags.
type Process struct {
	// Name is what it is called in failures.
	Name string
	// Address is its "127.0.0.1:port", the same in all its lives.
	Address string
	// Dir holds its work directory and its log.
	Dir string
	// Prefix is a command that executes the daemon, in a namespace for example.
	Prefix []string

	// Env is added to the environment of the lives to come.
	Env []string
	// User is whom the lives to come run as, see [Process.As].
	User *syscall.Credential
	// Scheme is that of its URLs: http, unless Env switches TLS on. The testbed
	// trusts every certificate.
	Scheme string
	// Username and Password are those of the testbed's own requests, if set.
	Username, Password string
	// Token is a bearer token that they show instead.
	Token string

	t      testing.TB
	binary string
	args   []string
	cmd    *exec.Cmd
	ended  chan struct{}
}

// processes numbers the processes of a run.
var processes atomic.Int32

// newProcess makes the directory and picks a port.
func newProcess(t testing.TB, program string) *Process {
	t.Helper()
	name := fmt.Sprintf("%s-%d", program, processes.Add(1))
	dir := filepath.Join(RunDir(), name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatalf("making the directory of %s: %v", name, err)
	}
	return &Process{Scheme: "http", Name: name, Address: freeAddress(t), Dir: dir, t: t, binary: Binary(t, program)}
}

// freeAddress finds a port outside of the ephemeral range, where the kernel
// could give it to a connection while the daemon is down.
func freeAddress(t testing.TB) string {
	t.Helper()
	for range 100 {
		address := fmt.Sprintf("127.0.0.1:%d", 20000+(os.Getpid()*131+int(ports.Add(7)))%10000)
		if l, err := net.Listen("tcp", address); err == nil {
			_ = l.Close()
			return address
		}
	}
	t.Fatal("no free port")
	return ""
}

var ports atomic.Int32

// URL is where path is served.
func (p *Process) URL(path string) string { return p.Scheme + "://" + p.Address + path }

// Port is that of the Address.
func (p *Process) Port() string {
	_, port, _ := net.SplitHostPort(p.Address)
	return port
}

// PID is that of the current life.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Start begins a life and waits until it is healthy.
func (p *Process) Start() {
	p.t.Helper()
	p.Launch()
	Eventually(p.t, p.Name+" is healthy", func() error {
		select {
		case <-p.ended:
			p.t.Fatalf("%s ended: %v\n%s", p.Name, p.cmd.ProcessState, p.Log())
		default:
		}
		return p.answers("/health")
	})
}

// answers asks for a path, and fails unless it is there.
func (p *Process) answers(path string) error {
	request, err := http.NewRequest(http.MethodGet, p.URL(path), nil)
	if err != nil {
		return err
	}
	request.Header = p.Header(nil)
	response, err := noRedirects.Do(request)
	if err != nil {
		return err
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", path, response.Status)
	}
	return nil
}

// Header adds what authenticates the testbed to a header.
func (p *Process) Header(h http.Header) http.Header {
	if h == nil {
		h = http.Header{}
	}
	if p.Username != "" {
		r := http.Request{Header: h}
		r.SetBasicAuth(p.Username, p.Password)
	}
	if p.Token != "" {
		h.Set("Authorization", "Bearer "+p.Token)
	}
	return h
}

// Launch begins a life and doesn't wait.
func (p *Process) Launch() {
	p.t.Helper()
	log, err := os.OpenFile(p.logPath(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		p.t.Fatalf("opening the log of %s: %v", p.Name, err)
	}
	defer func() { _ = log.Close() }()
	command := slices.Concat(p.Prefix, []string{p.binary}, p.args)
	p.cmd = exec.Command(command[0], command[1:]...)
	p.cmd.Dir = p.Dir
	p.cmd.Env = append(environment(), p.Env...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	// Not in the group of a terminal's interrupt: the testbed ends it.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: p.User}
	if err := p.cmd.Start(); err != nil {
		p.cmd = nil // there is nothing to end
		p.t.Fatalf("starting %s: %v", p.Name, err)
	}
	ended := make(chan struct{})
	p.ended = ended
	go func(cmd *exec.Cmd) {
		_ = cmd.Wait()
		close(ended)
	}(p.cmd)
}

// Use changes the program of the lives to come.
func (p *Process) Use(program string) {
	p.t.Helper()
	p.binary = Binary(p.t, program)
}

// As has the lives to come run as an ordinary user, who gets the directory. Only root can.
func (p *Process) As(uid, gid uint32) {
	p.t.Helper()
	if err := os.Chown(p.Dir, int(uid), int(gid)); err != nil {
		p.t.Fatal(err)
	}
	p.User = &syscall.Credential{Uid: uid, Gid: gid}
}

// environment is the test's without variables that would be flags.
func environment() []string {
	var out []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "MESOS_") && !strings.HasPrefix(v, "LIBPROCESS_") {
			out = append(out, v)
		}
	}
	return out
}

// Kill ends the life with SIGKILL.
func (p *Process) Kill() { p.end(syscall.SIGKILL) }

// Terminate ends the life with SIGTERM.
func (p *Process) Terminate() { p.end(syscall.SIGTERM) }

// Signal sends a signal to the current life.
func (p *Process) Signal(signal syscall.Signal) { _ = p.cmd.Process.Signal(signal) } // it may have ended

func (p *Process) end(signal syscall.Signal) {
	p.t.Helper()
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Signal(signal) // it may have ended
	p.AwaitEnd()
}

// AwaitEnd waits until the process ends by itself and returns its state.
func (p *Process) AwaitEnd() *os.ProcessState {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(Patience):
		_ = p.cmd.Process.Kill()
		p.t.Fatalf("%s doesn't end\n%s", p.Name, p.Log())
	}
	return p.cmd.ProcessState
}

// Running says whether the current life goes on.
func (p *Process) Running() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

func (p *Process) logPath() string { return filepath.Join(p.Dir, "log") }

// Log returns the end of what the process wrote in all its lives.
func (p *Process) Log() string {
	const most = 12 << 10
	text, _ := os.ReadFile(p.logPath()) // no log, nothing to tell
	if len(text) > most {
		text = text[len(text)-most:]
		text = append([]byte("…"), text[max(bytes.IndexByte(text, '\n'), 0):]...)
	}
	return string(text)
}

// cleanup registers what happens after the test.
func (p *Process) cleanup(after func()) {
	p.t.Cleanup(func() {
		p.Kill()
		if p.t.Failed() {
			p.t.Logf("log of %s:\n%s", p.Name, p.Log())
		}
		after()
	})
}

// Eventually calls attempt until it returns nil, and fails the test with its
// last error when Patience ends.
func Eventually(t testing.TB, what string, attempt func() error) {
	t.Helper()
	deadline := time.Now().Add(Patience)
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, 250*time.Millisecond) {
		err := attempt()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("waiting until %s: %v", what, err)
		}
		time.Sleep(pause)
	}
}
