package taskgroup

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/google/uuid"

	agentdexecutor "github.com/mesos-operator/mesos-operator/agentd/executor"
	"github.com/mesos-operator/mesos-operator/agentd/executor/agentapi"
	"github.com/mesos-operator/mesos-operator/agentd/executor/client"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/executor"
)

// Name is the subcommand of executord.
const Name = "default-executor"

// CommandInfo starts the executor from the binary of that path.
func CommandInfo(binary string) *mesos.CommandInfo {
	return &mesos.CommandInfo{
		Shell: new(false), Value: &binary, Arguments: []string{binary, Name},
	}
}

// Main is the executor's process. It returns its exit code.
func Main(args []string) int {
	agentdexecutor.Economize()
	if len(args) > 0 {
		fmt.Fprintf(os.Stderr, "unknown argument %q\n", args[0])
		return 2
	}
	cfg, err := client.FromEnvironment(os.LookupEnv)
	if err != nil {
		fmt.Fprintln(os.Stderr, "This program is started by a Mesos agent:", err)
		return 2
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	api := agentapi.New(cfg)
	r := &runner{
		api: api, results: make(chan func(time.Time)), away: make(chan struct{}, 1),
		over: make(chan struct{}), watches: map[*task]*watch{},
	}
	cfg.OnDisconnect = func() {
		select {
		case r.away <- struct{}{}:
		default:
		}
	}
	c := client.New(cfg)
	r.m = &machine{
		agent: c, api: api, log: os.Stderr, grace: cfg.ShutdownGrace, ip: address(cfg.URL),
		uuid: uuid.NewString, link: linkSandbox, tasks: map[string]*task{},
	}
	return r.run(context.Background(), c, signals)
}

// linkSandbox makes tasks/<task> a link to the sandbox of the task's container:
// nothing else tells people which that is.
func linkSandbox(task, container string) error {
	if err := os.MkdirAll("tasks", 0o755); err != nil {
		return err
	}
	link := filepath.Join("tasks", task)
	if err := os.Symlink(filepath.Join("..", "containers", container), link); err != nil && !os.IsExist(err) {
		return err
	}
	return nil
}

// address is that of this container's side of a connection to the agent, unless the
// agent was told one to pass on.
func address(agentURL string) string {
	if ip := os.Getenv("LIBPROCESS_IP"); ip != "" {
		return ip
	}
	u, err := url.Parse(agentURL)
	if err != nil {
		return ""
	}
	// Nothing is sent: the kernel says which address it would send from.
	conn, err := net.Dial("udp", u.Host)
	if err != nil {
		return ""
	}
	defer conn.Close()
	host, _, err := net.SplitHostPort(conn.LocalAddr().String())
	if err != nil {
		return ""
	}
	return host
}

// runner is the goroutine of a machine.
type runner struct {
	m       *machine
	api     *agentapi.Client
	results chan func(time.Time)
	// away says that a subscription has ended, over that the runner has.
	away, over chan struct{}
	paused     bool
	watches    map[*task]*watch
}

// post has the machine's goroutine call something.
func (r *runner) post(f func(time.Time)) {
	select {
	case r.results <- f:
	case <-r.over:
	}
}

func (r *runner) run(ctx context.Context, c *client.Client, signals <-chan os.Signal) int {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer close(r.over)
	r.m.later = func(f func(context.Context) func(time.Time)) {
		go func() { r.post(f(ctx)) }()
	}
	r.m.checks = func(t *task) func() { return r.startChecks(ctx, t) }
	events, gone := c.Start(ctx)
	timer := time.NewTimer(0)
	m := r.m
	for !m.quit {
		select {
		case e := <-events:
			m.event(e, time.Now())
			if e.GetType() == executor.Event_SUBSCRIBED {
				r.pause(false)
			}
		case <-r.away:
			r.pause(!c.Subscribed())
		case f := <-r.results:
			f(time.Now())
		case err := <-gone:
			m.agentGone(err)
		case s := <-signals:
			m.printf("Shutting down: %v", s)
			m.shutdown(time.Now())
		case <-timer.C:
		}
		if next := m.tick(time.Now()); !next.IsZero() {
			timer.Reset(time.Until(next))
		}
	}
	return m.code
}
