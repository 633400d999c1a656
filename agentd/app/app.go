package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/go-logr/logr"

	"github.com/mesos-operator/mesos-operator/agentd/checkpoint"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/mesos"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/pending"
	"github.com/mesos-operator/mesos-operator/agentd/engine"
	"github.com/mesos-operator/mesos-operator/agentd/httpapi"
	"github.com/mesos-operator/mesos-operator/agentd/providerconfig"
	"github.com/mesos-operator/mesos-operator/agentd/secrets"
	v1 "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/atomicfile"
	"github.com/mesos-operator/mesos-operator/internal/detector"
	"github.com/mesos-operator/mesos-operator/internal/files"
	"github.com/mesos-operator/mesos-operator/internal/flags"
	"github.com/mesos-operator/mesos-operator/internal/httpserver"
	"github.com/mesos-operator/mesos-operator/internal/libprocess"
	"github.com/mesos-operator/mesos-operator/internal/logging"
	"github.com/mesos-operator/mesos-operator/internal/metrics"
	"github.com/mesos-operator/mesos-operator/internal/profiler"
	"github.com/mesos-operator/mesos-operator/internal/tlsconfig"
	"github.com/mesos-operator/mesos-operator/internal/version"
)

// logPath is where /files shows the agent's log, as in Mesos.
const logPath = "/slave/log"

// farewell is how long the last messages have to leave before the process ends.
const farewell = 200 * time.Millisecond

// Main is the daemon's process. It returns the exit code.
func Main(args, environ []string, stdout, stderr io.Writer) int {
	f, err := ParseFlags(args, environ)
	switch {
	case errors.Is(err, flags.ErrHelp):
		if err := f.set.Usage(stdout); err != nil {
			return 1
		}
		return 0
	case err != nil:
		fmt.Fprintln(stderr, "agentd:", err)
		return 2
	case f.Version:
		fmt.Fprintf(stdout, "mesos %s (agentd %s)\n", version.Mesos, version.Build())
		return 0
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := Run(ctx, f); err != nil {
		fmt.Fprintln(stderr, "agentd:", err)
		return 1
	}
	return 0
}

// Run runs an agent until the context ends, which leaves its tasks running, or
// until it is told to end.
func Run(ctx context.Context, f *Flags) error {
	logs, err := logging.New(logging.Config{
		Program: "agentd", Severity: f.LoggingLevel, Dir: text(f.LogDir), Quiet: f.Quiet,
	})
	if err != nil {
		return err
	}
	defer logs.Close()
	a := &app{flags: f, logs: logs, log: logs.Logger, started: time.Now(), metrics: metrics.NewRegistry(), pending: pending.New()}
	defer a.close()
	err = a.run(ctx)
	if err != nil {
		a.log.Error(err, "agent ended")
	}
	return err
}

// app is an agent that is being put together. What has to be undone is.
type app struct {
	flags   *Flags
	logs    *logging.Logs
	log     logr.Logger
	started time.Time

	metrics  *metrics.Registry
	pending  *pending.List // steps of containers
	listener net.Listener
	node     *libprocess.Node
	engine   *engine.Engine
	router   *httpserver.Router
	access   *access
	secrets  secrets.Resolver
	programs programs
	sockets  *executorSockets  // nil: executors come by TCP alone
	tls      *tlsconfig.Source // nil: in the clear
	// keptImages are those that are never pruned.
	keptImages []*v1.Image
	undo       []func()
}

func (a *app) close() {
	for _, f := range slices.Backward(a.undo) {
		f()
	}
}

func (a *app) run(ctx context.Context) error {
	a.log.Info("starting", "version", version.Build(), "mesos", version.Mesos, "workDir", a.flags.WorkDir)
	slices.Sort(a.flags.ignored)
	if len(a.flags.ignored) > 0 {
		a.log.Info("flags without effect in this agent", "flags", a.flags.ignored)
	}
	var err error
	if a.tls, err = tlsconfig.FromProcess(a.log.WithName("tls")); err != nil {
		return err
	}
	if a.access, err = a.flags.access.open(a.metrics, a.log.WithName("access")); err != nil {
		return err
	}
	if a.secrets, err = a.flags.secrets.open(); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{a.listen, a.assemble} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	a.onUserSignal(ctx)
	go a.access.files.Run(ctx)
	served := make(chan error, 1)
	go func() {
		served <- httpserver.New(httpserver.Config{
			Handler: a.router, Node: a.node, Streams: "/api/v1", // ATTACH_CONTAINER_INPUT
			Log: a.log.WithName("http"),
		}).Serve(ctx, a.listener)
		cancel() // without its port an agent is no use
	}()
	if a.sockets != nil {
		go func() {
			if err := a.sockets.serve(ctx, a); err != nil {
				a.log.Error(err, "serving executors by the domain socket")
				cancel() // likewise
			}
		}()
	}
	err = a.engine.Run(ctx)
	if ctx.Err() == nil {
		time.Sleep(farewell) // the agent ended by itself and has said so to its master
	}
	cancel()
	return errors.Join(err, <-served)
}

// listen opens the port, by which the agent's identity is known.
func (a *app) listen(ctx context.Context) error {
	endpoint, err := a.flags.endpoint(ctx)
	if err != nil {
		return err
	}
	listener, address, err := httpserver.Listen(ctx, endpoint)
	if err != nil {
		return err
	}
	a.listener = listener
	a.undo = append(a.undo, func() { listener.Close() })
	cfg := libprocess.Config{
		Address: address, ServerTLS: a.tls.Server(), AllowPlain: a.tls.AllowsPlain(), Log: a.log.WithName("libprocess"),
	}
	if a.tls != nil {
		cfg.ClientTLS = a.tls.Client
	}
	a.node, err = libprocess.NewNode(cfg)
	if err != nil {
		return err
	}
	a.undo = append(a.undo, func() { a.node.Close() })
	return nil
}

// assemble makes everything that the engine works with, and the engine.
func (a *app) assemble(ctx context.Context) error {
	if err := atomicfile.MkdirAll(a.flags.WorkDir, 0o755); err != nil {
		return fmt.Errorf("making the work directory: %w", err)
	}
	store, err := checkpoint.Open(a.flags.WorkDir)
	if err != nil {
		return err
	}
	a.undo = append(a.undo, func() { store.Close() })
	if a.sockets, err = a.flags.socket.open(a.flags.RuntimeDir, a.flags.runsDocker()); err != nil {
		return err
	}
	if a.sockets != nil {
		a.undo = append(a.undo, a.sockets.close)
		a.log.Info("executors come by the domain socket", "path", a.sockets.path, "withoutNetwork", a.sockets.node)
	}
	containers, err := a.containerizer(ctx)
	if err != nil {
		return err
	}
	find, err := detector.New(detector.Config{
		TLS:     a.tls,
		Masters: a.flags.Master, ZooKeeperTimeout: a.flags.ZKSessionTimeout, Log: a.log.WithName("detector"),
	})
	if err != nil {
		return err
	}
	shown := a.files()
	if a.engine, err = a.newEngine(ctx, store, containers, find, shown, a.metrics); err != nil {
		return err
	}
	providers, err := a.providerConfigs()
	if err != nil {
		return err
	}
	names := newMasterNames()
	api, err := httpapi.New(httpapi.Config{
		AttachHeartbeat: a.flags.Heartbeat,
		Authenticate:    a.access.guard.Authenticate, Authorizer: a.access.authorizer,
		Engine: a.engine, Providers: providers, MasterHostname: names.of, Flags: a.flags.set.Values(),
		LogDir: text(a.flags.LogDir), ExternalLogFile: text(a.flags.ExternalLogFile), Started: a.started,
		Profiler: profiler.New(profiler.Config{CPU: os.Getenv(profiler.EnableVariable) == "1", Memory: a.flags.MemoryProfiling}),
		Pending:  a.pending, Metrics: a.metrics, Files: shown, Verbosity: a.logs.Verbosity, Log: a.log.WithName("http"),
	})
	if err != nil {
		return err
	}
	a.router = httpserver.NewRouter(httpapi.Process)
	api.Register(a.router)
	a.router.Disable(a.access.disabled)
	return nil
}

func (a *app) newEngine(
	ctx context.Context, store *checkpoint.Store, containers *mesos.Containerizer, find *detector.Detector,
	shown *files.Files, registry *metrics.Registry,
) (*engine.Engine, error) {
	machine, err := a.machineConfig(ctx)
	if err != nil {
		return nil, err
	}
	variables, err := a.flags.variables()
	if err != nil {
		return nil, err
	}
	lending, err := a.flags.oversub.open(a.flags.modules, a.log.WithName("qos"))
	if err != nil {
		return nil, err
	}
	return engine.New(engine.Config{
		Oversubscription: lending,
		State:            machine, Node: a.node, ProcessID: httpapi.Process,
		Store: store, Containerizer: containers, Detector: find, Files: shown, Metrics: registry, BootID: bootID(), Strict: a.flags.Strict,
		Authorizer: a.access.authorizer,
		Authentication: engine.Authentication{
			Credential: a.access.credential, TimeoutMin: a.flags.access.TimeoutMin, TimeoutMax: a.flags.access.TimeoutMax,
			BackoffFactor: a.flags.access.BackoffFactor, Spread: a.flags.RegistrationBackoff,
		},
		Environment: engine.Environment{
			Secrets: a.secrets, Socket: a.sockets.location(),
			TLS: a.tls.Variables(os.Environ()), Token: a.access.tokens(), Executors: variables, LibprocessIP: os.Getenv("LIBPROCESS_IP"),
			RecoveryTimeout: a.flags.RecoveryTimeout, SubscriptionBackoffMax: a.flags.ExecutorReregistration,
			ShutdownGrace: a.flags.ExecutorShutdownGrace,
		},
		GCDelay: a.flags.GCDelay, GCDiskHeadroom: a.flags.GCDiskHeadroom, DiskWatchInterval: a.flags.DiskWatchInterval,
		KeptImages: a.keptImages,
		Log:        a.log.WithName("agent"),
	})
}

// providerConfigs reads the descriptions of resource providers that the agent is to
// start. It knows no type that it could.
func (a *app) providerConfigs() (*providerconfig.Dir, error) {
	dir, problems, err := providerconfig.Open(providerconfig.Config{Path: text(a.flags.ProviderConfigDir)})
	for _, p := range problems {
		a.log.Error(p.Err, "resource provider is not started", "path", p.Path)
	}
	return dir, err
}

// files shows the agent's log.
func (a *app) files() *files.Files {
	shown := files.New()
	path := a.logs.Path()
	if a.flags.ExternalLogFile != nil {
		path = *a.flags.ExternalLogFile
	}
	if path != "" {
		if err := shown.Attach(path, logPath, a.access.mayReadLog); err != nil {
			a.log.Error(err, "the log is not shown", "path", path)
		}
	}
	return shown
}

// onUserSignal ends everything and then the agent when it gets SIGUSR1, as Mesos's
// agents do.
func (a *app) onUserSignal(ctx context.Context) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1)
	go func() {
		defer signal.Stop(signals)
		select {
		case <-ctx.Done():
		case <-signals:
			if err := a.engine.Shutdown(ctx, "received SIGUSR1"); err != nil {
				a.log.Error(err, "shutting down")
			}
		}
	}()
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
