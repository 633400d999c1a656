package mesos

import (
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/process"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/runtime/oci"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/switchboard"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// How long a switchboard may take, after the end of its container, to pass on what is
// left: before the end of the container is told, and in all. Who watches a debug
// container gets everything, as slowly as that goes.
const (
	drainFirst   = time.Second
	drainAll     = 15 * time.Second
	drainSession = 5 * time.Minute
)

// ioDir has the sockets of switchboards. Its name is short.
func (m *Containerizer) ioDir() string { return filepath.Join(m.cfg.RuntimeDir, "io") }

// attachable says whether a container gets a switchboard, as Mesos does it.
func attachable(cfg containerizer.Config) bool {
	return cfg.Class == containerizer.ClassDebug || cfg.Container.GetTtyInfo() != nil
}

// connect puts a switchboard between a container that is attachable and the files
// of its sandbox. It returns the container's streams.
func (m *Containerizer) connect(c *container, who specs.User, files *streams) (*streams, error) {
	tty := c.cfg.Container.GetTtyInfo()
	child, ends, err := switchboard.Start(c.ctx, m.spawner, switchboard.Options{
		Dir: m.ioDir(), ID: string(c.id), Terminals: m.root + "/dev/ptmx",
		TTY: tty != nil, Console: tty != nil && c.runtime.Name() == oci.Name,
		Rows: tty.GetWindowSize().GetRows(), Columns: tty.GetWindowSize().GetColumns(),
		Owner: int(who.UID), Group: int(who.GID),
		Session: c.cfg.Class == containerizer.ClassDebug,
		Stdout:  files.out, Stderr: files.err,
	})
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.io = child
	c.mu.Unlock()
	// Not in the container's cgroup: that is emptied while there may be output to
	// pass on.
	if m.tree != nil {
		if err := m.tree.Group(m.cfg.CgroupsRoot).Join(child.Identity().PID); err != nil {
			ends.Close()
			return nil, err
		}
	}
	c.console = ends.ConsoleSocket
	if c.console != "" {
		return &streams{in: files.in, out: files.in, err: files.err, life: ends.Life, shared: true}, nil
	}
	return &streams{in: ends.Stdin, out: ends.Stdout, err: ends.Stderr, life: ends.Life}, nil
}

// watchIO ends a container whose switchboard fails.
func (m *Containerizer) watchIO(c *container) {
	c.mu.Lock()
	board := c.io
	c.mu.Unlock()
	if board == nil {
		return
	}
	status, err := board.Wait(context.Background())
	how := m.ioFailure(c, status, err)
	failed := how != "" && c.ctx.Err() == nil
	if failed {
		c.limit(ioExited(how))
	}
	board.Close()
	close(c.ioEnded)
	if failed {
		m.killWithoutIO(c)
	}
}

// killWithoutIO ends a container that has lost its switchboard, unless it is ended anyway.
func (m *Containerizer) killWithoutIO(c *container) {
	select {
	case <-c.launched:
		m.kill(c)
	case <-c.ctx.Done():
	}
}

// ioFailure says how a switchboard that has ended failed, "" if it didn't or nobody can
// know. Only its parent gets a status; who recovered it asks what it left.
func (m *Containerizer) ioFailure(c *container, status *syscall.WaitStatus, err error) string {
	switch {
	case err != nil:
		m.log.Error(err, "Waiting for a switchboard", "container_id", c.id)
		return ""
	case status == nil:
		return m.ioVerdict(c)
	case status.Exited() && status.ExitStatus() == 0:
		return ""
	}
	return describe(status)
}

func (m *Containerizer) ioVerdict(c *container) string {
	v, err := switchboard.VerdictOf(m.ioDir(), string(c.id))
	if err != nil {
		m.log.Error(err, "Container goes on without its switchboard", "container_id", c.id)
	}
	if v != switchboard.Failed {
		return ""
	}
	return "unknown status"
}

func ioExited(how string) *isolator.Limitation {
	return &isolator.Limitation{
		Reason:  mesos.TaskStatus_REASON_IO_SWITCHBOARD_EXITED,
		Message: "'IOSwitchboard' exited with " + how,
	}
}

// settleIO waits until the end of a switchboard that has ended is known for what it is:
// a terminal goes away with its switchboard, which can end the container sooner than
// anybody is told why.
func (m *Containerizer) settleIO(c *container) {
	c.mu.Lock()
	board := c.io
	c.mu.Unlock()
	if board != nil && !board.Identity().Alive() {
		<-c.ioEnded
	}
}

// endIO lets the switchboard of a container without processes finish.
func (m *Containerizer) endIO(c *container) {
	c.mu.Lock()
	board := c.io
	c.mu.Unlock()
	if board == nil {
		return
	}
	limit := drainAll
	if c.cfg.Class == containerizer.ClassDebug {
		limit = drainSession
	}
	if c.ioFailed {
		limit = 0
	}
	leave := m.drains.enter()
	over := make(chan struct{})
	go func() {
		defer leave()
		defer close(over)
		select {
		case <-c.ioEnded:
		case <-time.After(limit):
			_ = board.Signal(syscall.SIGKILL) // it may have ended
			<-c.ioEnded
		case <-m.drains.closing:
			_ = board.Signal(syscall.SIGKILL)
			<-c.ioEnded
		}
		m.removeIO(c)
	}()
	select {
	case <-over:
	case <-time.After(drainFirst):
	}
}

// Close ends the switchboards that still pass on what containers wrote that have ended:
// they do so through the agent, which ends. Containers go on.
func (m *Containerizer) Close() { m.drains.close() }

// drains are the switchboards that have outlived their containers.
type drains struct {
	mu      sync.Mutex
	closed  bool
	under   sync.WaitGroup
	closing chan struct{}
}

// enter counts one until it leaves. Those that come after the end are not waited for.
func (d *drains) enter() (leave func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return func() {}
	}
	d.under.Add(1)
	return d.under.Done
}

func (d *drains) close() {
	d.mu.Lock()
	if !d.closed {
		d.closed = true
		close(d.closing)
	}
	d.mu.Unlock()
	over := make(chan struct{})
	go func() { d.under.Wait(); close(over) }()
	select {
	case <-over:
	case <-time.After(drainFirst): // an agent that ends is not to hang in it
	}
}

// recallIO finds the switchboard again. One that failed while the agent was away ends its
// container as well.
func (m *Containerizer) recallIO(c *container, id process.Identity) {
	if id.PID == 0 {
		return
	}
	if w, err := process.Open(id); err == nil {
		c.io = w
		go m.watchIO(c)
		return
	}
	if how := m.ioVerdict(c); how != "" {
		c.limit(ioExited(how))
		go m.killWithoutIO(c)
	}
	m.removeIO(c)
}

func (m *Containerizer) removeIO(c *container) {
	if err := switchboard.Remove(m.ioDir(), string(c.id)); err != nil {
		m.log.Error(err, "Removing a switchboard's socket", "container_id", c.id)
	}
}

// AttachOutput implements containerizer.Containerizer.
func (m *Containerizer) AttachOutput(ctx context.Context, id containerizer.ID) (containerizer.Output, error) {
	if err := m.switchboardOf(ctx, id); err != nil {
		return nil, err
	}
	conn, err := switchboard.Output(ctx, m.ioDir(), string(id))
	if err != nil {
		return nil, attachError(err)
	}
	return &output{conn}, nil
}

// AttachInput implements containerizer.Containerizer.
func (m *Containerizer) AttachInput(ctx context.Context, id containerizer.ID) (containerizer.Input, error) {
	if err := m.switchboardOf(ctx, id); err != nil {
		return nil, err
	}
	conn, err := switchboard.Input(ctx, m.ioDir(), string(id))
	if err != nil {
		return nil, attachError(err)
	}
	return &input{conn}, nil
}

// switchboardOf says whether a container has one. It need not run any more itself.
func (m *Containerizer) switchboardOf(ctx context.Context, id containerizer.ID) error {
	c, err := m.find(id)
	if err != nil {
		return err
	}
	select {
	case <-c.launched:
	case <-ctx.Done():
		return ctx.Err()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.io == nil {
		return containerizer.ErrNotAttachable
	}
	return nil
}

func attachError(err error) error {
	switch {
	case errors.Is(err, switchboard.ErrBusy):
		return containerizer.ErrInputTaken
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ECONNRESET):
		return containerizer.ErrNotAttachable // it has ended
	}
	return err
}

// output implements containerizer.Output.
type output struct{ conn net.Conn }

// Next implements containerizer.Output.
func (o *output) Next() (containerizer.Chunk, error) {
	f, err := switchboard.ReadFrame(o.conn)
	if err != nil {
		return containerizer.Chunk{}, err
	}
	return containerizer.Chunk{Stderr: f.Type == switchboard.Stderr, Data: f.Data}, nil
}

// Close implements containerizer.Output.
func (o *output) Close() error { return o.conn.Close() }

// input implements containerizer.Input.
type input struct{ *switchboard.InputConn }

// Write implements containerizer.Input.
func (i *input) Write(data []byte) error {
	return i.Send(switchboard.Frame{Type: switchboard.Stdin, Data: data})
}

// Resize implements containerizer.Input.
func (i *input) Resize(rows, columns uint32) error {
	return i.Send(switchboard.WindowFrame(rows, columns))
}

// consoleSize is the size of a container's terminal, for an OCI runtime.
func consoleSize(t *mesos.TTYInfo) *specs.Box {
	if w := t.GetWindowSize(); w.GetRows() > 0 && w.GetColumns() > 0 {
		return &specs.Box{Height: uint(w.GetRows()), Width: uint(w.GetColumns())}
	}
	return nil
}

// withTerminal has the specification of a container with a terminal say so.
func withTerminal(c *container, spec *specs.Spec) {
	tty := c.cfg.Container.GetTtyInfo()
	if tty == nil {
		return
	}
	spec.Process.Terminal = true
	spec.Process.ConsoleSize = consoleSize(tty)
	hasTerm := func(v string) bool { return strings.HasPrefix(v, "TERM=") }
	for _, v := range spec.Process.Env {
		if hasTerm(v) {
			return
		}
	}
	spec.Process.Env = append(spec.Process.Env, "TERM=xterm")
}
