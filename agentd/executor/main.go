package executor

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/mesos-operator/mesos-operator/agentd/executor/client"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// Name is the subcommand of executord.
const Name = "executor"

// CommandInfo starts the executor from the binary of that path.
func CommandInfo(binary string) *mesos.CommandInfo {
	return &mesos.CommandInfo{
		Shell:     new(false),
		Value:     &binary,
		Arguments: []string{binary, Name},
	}
}

// Economize has the Go runtime of an executor work for memory rather than speed: one
// thread is enough for what happens a few times in a task's life. The collector is left
// alone. A start allocates less than the 4 MB at which it first runs; to have it keep
// the heap smaller than that costs a start three times its processor time, and saves
// no memory, for what it needs itself is more.
func Economize() { runtime.GOMAXPROCS(1) }

// Main is the executor's process. It returns its exit code.
func Main(args []string) int {
	Economize()
	image, err := parseFlags(args)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	cfg, err := client.FromEnvironment(os.LookupEnv)
	if err != nil {
		fmt.Fprintln(os.Stderr, "This program is started by a Mesos agent:", err)
		return 2
	}
	// It is for the executor alone. The process's own copy is out of the task's
	// reach: tasks get environ().
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	exits := make(chan *syscall.WaitStatus, 1)
	away := make(chan struct{}, 1)
	cfg.OnDisconnect = func() {
		select {
		case away <- struct{}{}:
		default:
		}
	}
	c := client.New(cfg)
	m := &machine{
		agent: c, log: os.Stderr, grace: cfg.ShutdownGrace, environ: image.environment(environ(os.Environ())),
		start: starter(exits, image),
	}
	m.containerised(image)
	if os.Getpid() == 1 {
		go reap(context.Background())
	}
	in := inbox{exits: exits, signals: signals, away: away, calls: make(chan func(time.Time))}
	return m.run(context.Background(), c, &watches{m: m, environ: m.environ, dir: image.dir}, in)
}

// environ is what tasks inherit.
func environ(own []string) []string {
	var out []string
	for _, v := range own {
		if !strings.HasPrefix(v, "MESOS_EXECUTOR_AUTHENTICATION_TOKEN=") {
			out = append(out, v)
		}
	}
	return out
}
