package app

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"google.golang.org/protobuf/proto"

	registrypb "github.com/mesos-operator/mesos-operator/api/mesos/messages/registry"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/auth/cram"
	"github.com/mesos-operator/mesos-operator/internal/files"
	"github.com/mesos-operator/mesos-operator/internal/httpserver"
	"github.com/mesos-operator/mesos-operator/internal/lane"
	"github.com/mesos-operator/mesos-operator/internal/libprocess"
	"github.com/mesos-operator/mesos-operator/internal/logging"
	"github.com/mesos-operator/mesos-operator/internal/metrics"
	"github.com/mesos-operator/mesos-operator/internal/profiler"
	"github.com/mesos-operator/mesos-operator/internal/tlsconfig"
	"github.com/mesos-operator/mesos-operator/internal/version"
	"github.com/mesos-operator/mesos-operator/masterd/allocator"
	"github.com/mesos-operator/mesos-operator/masterd/election"
	"github.com/mesos-operator/mesos-operator/masterd/election/podlabel"
	zkelection "github.com/mesos-operator/mesos-operator/masterd/election/zookeeper"
	"github.com/mesos-operator/mesos-operator/masterd/engine"
	"github.com/mesos-operator/mesos-operator/masterd/httpapi"
	"github.com/mesos-operator/mesos-operator/masterd/registry"
	"github.com/mesos-operator/mesos-operator/masterd/state"
)

// App is a master that was set up.
type App struct {
	flags   *Flags
	log     logr.Logger
	logs    *logging.Logs
	started time.Time

	self     *mesos.MasterInfo // without an ID
	listener net.Listener
	node     *libprocess.Node
	store    registry.Store
	elector  election.Elector
	label    *podlabel.Labeller // nil outside of Kubernetes
	metrics  *metrics.Registry
	server   *httpserver.Server
	api      *httpapi.API
	access   *access
	tls      *tlsconfig.Source // nil: in the clear
	// publisher shows the leader in ZooKeeper; nil if that elects it, or isn't used.
	publisher *zkelection.Publisher

	engine atomic.Pointer[engine.Engine] // of the current term
}

// Run sets a master up and runs it until ctx ends. An error means that it could
// not go on; a supervisor should start it again.
func Run(ctx context.Context, f *Flags, logs *logging.Logs) error {
	a := &App{flags: f, log: logs.Logger, logs: logs, started: time.Now(), metrics: metrics.NewRegistry()}
	if ignored := f.Ignored(); len(ignored) > 0 {
		a.log.Info("flags of mesos-master that have no effect here", "flags", ignored)
	}
	err := a.setUp(ctx)
	if err == nil {
		a.log.Info("master started", "pid", a.self.GetPid(), "hostname", a.self.GetHostname(),
			"registry", f.Registry, "version", version.Build())
		err = a.run(ctx)
	}
	return errors.Join(err, a.tearDown())
}

func (a *App) setUp(ctx context.Context) error {
	var err error
	if a.tls, err = tlsconfig.FromProcess(a.log.WithName("tls")); err != nil {
		return err
	}
	if a.access, err = a.flags.Access.open(a.metrics, a.log.WithName("access")); err != nil {
		return err
	}
	if err := a.listen(ctx); err != nil {
		return err
	}
	if err := a.openRegistry(); err != nil {
		return err
	}
	if label := value(a.flags.KubeLeaderLabel); label != "" {
		cfg, err := podlabel.InPod(label, os.Getenv)
		if err != nil {
			return err
		}
		if a.label, err = podlabel.New(cfg, a.log.WithName("label")); err != nil {
			return err
		}
	}
	return a.serveHTTP()
}

func (a *App) listen(ctx context.Context) error {
	endpoint, err := a.flags.endpoint(ctx)
	if err != nil {
		return err
	}
	var address libprocess.Address
	if a.listener, address, err = httpserver.Listen(ctx, endpoint); err != nil {
		return err
	}
	if a.self, err = a.flags.masterInfo(ctx, address); err != nil {
		return err
	}
	cfg := libprocess.Config{
		Address: address, Main: httpapi.Process, ServerTLS: a.tls.Server(), AllowPlain: a.tls.AllowsPlain(),
		Log: a.log.WithName("libprocess"),
	}
	if a.tls != nil {
		cfg.ClientTLS = a.tls.Client
	}
	a.node, err = libprocess.NewNode(cfg)
	return err
}

func (a *App) serveHTTP() error {
	shown := files.New()
	for _, path := range []string{value(a.flags.ExternalLogFile), a.logs.Path()} {
		if path == "" {
			continue
		}
		if err := shown.Attach(path, "/master/log", httpapi.MayReadLog(a.access.authorizer)); err != nil {
			return fmt.Errorf("showing the log: %w", err)
		}
		break
	}
	long := lane.New()
	var err error
	a.api, err = httpapi.New(httpapi.Config{
		Self:   a.self,
		Leader: a.elector.Leader,
		Engine: a.engine.Load, Registry: a.store.Snapshot,
		Flags: a.flags.Set.Values(), Cluster: value(a.flags.Cluster),
		LogDir: value(a.flags.LogDir), ExternalLogFile: value(a.flags.ExternalLogFile),
		PerFrameworkMetrics: a.flags.PerFrameworkMetrics,
		Profiler:            profiler.New(profiler.Config{CPU: os.Getenv(profiler.EnableVariable) == "1", Memory: a.flags.MemoryProfiling}),
		Started:             a.started,
		Authenticate:        a.access.authenticate,
		Authorizer:          a.access.authorizer,
		Lane:                long,
		Metrics:             a.metrics,
		Files:               shown,
		Verbosity:           a.logs.Verbosity,
		Log:                 a.log.WithName("http"),
	})
	if err != nil {
		return err
	}
	router := httpserver.NewRouter(httpapi.Process)
	a.api.Register(router)
	router.Disable(a.access.disabled)
	a.server = httpserver.New(httpserver.Config{Handler: router, Node: a.node, Lane: long, Log: a.log.WithName("http")})
	return nil
}

// run runs all parts until ctx ends or one of them fails, which ends the others.
func (a *App) run(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var parts sync.WaitGroup
	start := func(part func(context.Context) error) {
		parts.Go(func() {
			if err := part(ctx); err != nil {
				stop(err)
			}
		})
	}
	start(func(ctx context.Context) error { return a.server.Serve(ctx, a.listener) })
	start(func(ctx context.Context) error { return a.elector.Run(ctx, a.lead) })
	start(func(ctx context.Context) error { a.access.files.Run(ctx); return nil })
	if a.label != nil {
		start(func(ctx context.Context) error { a.label.Run(ctx); return nil })
	}
	if a.publisher != nil {
		start(func(ctx context.Context) error { a.publisher.Run(ctx); return nil })
	}
	parts.Wait()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

// lead is one term.
func (a *App) lead(ctx context.Context, self *mesos.MasterInfo) error {
	log := a.log.WithValues("master", self.GetId())
	fetch, cancel := context.WithTimeout(ctx, a.flags.RegistryFetchTimeout)
	defer cancel()
	previous := a.store.Snapshot().GetMaster().GetInfo()
	stop := a.metrics.Timer("registrar/state_fetch_ms").Start()
	term, reg, err := a.store.Lead(fetch, self)
	stop()
	if err != nil {
		return deposed(fmt.Errorf("reading the registry: %w", err))
	}
	authenticator, err := a.access.authenticator(&a.flags.Access, a.node, log)
	if err != nil {
		return err
	}
	defer authenticator.Close()
	hosts := newWhitelist(a.flags.Whitelist, log.WithName("whitelist"))
	e, err := a.newEngine(self, term, reg, authenticator, hosts, log)
	if err != nil {
		return err
	}
	a.engine.Store(e)
	if a.label != nil {
		a.label.Lead()
		defer a.label.Follow()
	}
	if a.publisher != nil {
		a.publisher.Lead(self, previous)
		defer a.publisher.Follow()
	}
	defer func() { // agents and drivers look for the next leader once their links break
		a.engine.Store(nil)
		a.node.Disconnect()
	}()
	during, end := context.WithCancel(ctx)
	defer end()
	go hosts.watch(during, e.Whitelist)
	go a.api.Keep(during, e)
	log.Info("leading", "agents", len(reg.GetSlaves().GetSlaves()))
	defer comeback(len(reg.GetSlaves().GetSlaves()))()
	return deposed(e.Run(ctx))
}

func (a *App) newEngine(
	self *mesos.MasterInfo, term registry.Term, reg *registrypb.Registry, authenticator *cram.Authenticator,
	hosts *whitelist, log logr.Logger,
) (*engine.Engine, error) {
	machine := a.flags.machine(self, log.V(1).Enabled())
	machine.Authorizer = a.access.authorizer
	if err := machine.Validate(); err != nil {
		return nil, fmt.Errorf("flags: %w", err)
	}
	cfg, err := a.flags.allocator(self, rand.Uint64())
	if err != nil {
		return nil, err
	}
	alloc, err := allocator.New(cfg)
	if err != nil {
		return nil, fmt.Errorf("flags: %w", err)
	}
	if hosts.hosts != nil {
		alloc.Whitelist(hosts.hosts)
	}
	stored, allocated := a.metrics.Timer("registrar/state_store_ms"), a.metrics.Timer("allocator/mesos/allocation_run_ms")
	return engine.New(engine.Config{
		Machine:            state.New(machine),
		Allocator:          engine.Bridge(alloc, a.flags.constraints(), log.WithName("allocator")),
		Term:               registry.WithTimeout(term, a.flags.RegistryStoreTimeout),
		Registry:           reg,
		RegistrySize:       func() int { return proto.Size(a.store.Snapshot()) },
		Node:               a.node,
		Authenticate:       authenticator.Begin,
		Principal:          authenticator.Principal,
		AllocationInterval: a.flags.AllocationInterval,
		MaxSubscribers:     a.flags.MaxSubscribers,
		Stored:             stored.Observe,
		Allocated:          allocated.Observe,
		AllocationWaited:   a.metrics.Timer("allocator/mesos/allocation_run_latency_ms").Observe,
		Log:                log,
	})
}

// deposed tells the elector, when the registry says so, that losing the
// leadership is no failure.
func deposed(err error) error {
	if err != nil && (errors.Is(err, registry.ErrNotLeader) || errors.Is(err, registry.ErrDeposed)) {
		return fmt.Errorf("%w: %w", election.ErrDeposed, err)
	}
	return err
}

// tearDown closes what setUp opened, as far as it came.
func (a *App) tearDown() error {
	var errs []error
	if a.node != nil {
		errs = append(errs, a.node.Close())
	}
	if a.listener != nil {
		a.listener.Close() // the server closed it, unless it never ran
	}
	if a.store != nil {
		errs = append(errs, a.store.Close())
	}
	return errors.Join(errs...)
}
