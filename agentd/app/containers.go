package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/mesos"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/spawn"
	"github.com/mesos-operator/mesos-operator/agentd/executor"
	"github.com/mesos-operator/mesos-operator/agentd/executor/taskgroup"
	"github.com/mesos-operator/mesos-operator/agentd/fetcher"
	"github.com/mesos-operator/mesos-operator/agentd/state"
	v1 "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/metrics"
	"github.com/mesos-operator/mesos-operator/internal/resources"
	"github.com/mesos-operator/mesos-operator/internal/version"

	cgcpu "github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/cgroups/cpu"
	cgmem "github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/cgroups/mem"
)

// containerizerConfig is what the flags say about containers.
func (f *Flags) containerizerConfig() (mesos.Config, error) {
	isolation, err := mesos.Isolators(f.Isolation)
	if err != nil {
		return mesos.Config{}, err
	}
	launcher, runtime := f.Launcher, f.Runtime
	// Some name the runtime by --launcher, as Mesos's "launcher" was both.
	if launcher == "oci" {
		launcher, runtime = mesos.LauncherLinux, "oci"
	}
	if launcher == mesos.LauncherPosix && slices.ContainsFunc(isolation, isCgroups) {
		launcher = mesos.LauncherLinux // cgroups are the Linux launcher's
	}
	// Command lines of Mesos name no runtime, but isolators.
	if !f.set.Given("runtime") && mesos.NeedOCI(isolation) {
		launcher, runtime = mesos.LauncherLinux, "oci"
	}
	cfg := mesos.Config{
		WorkDir: f.WorkDir, RuntimeDir: f.RuntimeDir, MountNamespace: f.MountNamespace,
		Isolation: isolation, Launcher: launcher, Runtime: runtime, OCIRuntime: f.OCIRuntime,
		CgroupsHierarchy: f.CgroupsHierarchy, CgroupsRoot: f.CgroupsRoot, DestroyTimeout: f.CgroupsDestroyTimeout,
		CPU: cgcpu.Config{
			EnableCFS: f.EnableCFS, RevocableLowPriority: f.RevocableLowPriority, CountTasks: f.CountTasks,
		},
		Mem: cgmem.Config{LimitSwap: f.LimitSwap},
	}
	if cfg.Logger, err = f.logger.logger(f.modules); err != nil {
		return cfg, err
	}
	cfg.XFS.Disks, cfg.XFS.Reclaim = f.pathDisks(), f.DiskWatchInterval
	cfg.GPU = f.isolators.gpus.config("")
	if cfg.GPU.Indices, err = f.gpus(); err != nil {
		return cfg, err
	}
	return cfg, f.isolators.apply(&cfg, f.offeredPorts)
}

// pathDisks are the roots of the disks of type PATH.
func (f *Flags) pathDisks() []string {
	named, err := resources.ParseProto(given(f.Resources), f.DefaultRole)
	if err != nil {
		return nil // which is told elsewhere
	}
	var roots []string
	for _, r := range named {
		if s := r.GetDisk().GetSource(); s.GetType() == v1.Resource_DiskInfo_Source_PATH && s.GetPath().GetRoot() != "" {
			root := s.GetPath().GetRoot()
			if !filepath.IsAbs(root) {
				root = filepath.Join(f.WorkDir, root)
			}
			roots = append(roots, root)
		}
	}
	return slices.Compact(roots)
}

func isCgroups(isolator string) bool { return strings.HasPrefix(isolator, "cgroups/") }

func (a *app) containerizer(ctx context.Context) (*mesos.Containerizer, error) {
	cfg, err := a.flags.containerizerConfig()
	if err != nil {
		return nil, err
	}
	pulled := a.metrics.Timer("containerizer/mesos/provisioner/docker_store/image_pull_ms").Observe
	if err := a.flags.images(&cfg, pulled); err != nil {
		return nil, err
	}
	if err := a.flags.docker(&cfg); err != nil {
		return nil, err
	}
	if c := cfg.Images.Collection; c != nil {
		a.keptImages = c.Exclude
	}
	if cfg.Weight, err = a.flags.weight(); err != nil {
		return nil, err
	}
	if a.programs, err = a.flags.install(ctx); err != nil {
		return nil, err
	}
	cfg.Binary, cfg.Pending, cfg.Secrets = a.programs.executors, a.pending, a.secrets
	if a.sockets != nil {
		inner := mesos.ExecutorSocket{Dir: a.sockets.node, Name: socketName}
		cfg.Docker.Socket = inner
		if a.sockets.path != "" {
			cfg.ExecutorSocket = inner
		}
	}
	if a.flags.GCNested {
		cfg.Sandboxes = collected{a}
	}
	cfg.Images.Docker.Resolve = a.secrets
	m, err := mesos.New(ctx, cfg, a.log.WithName("containerizer"), a.fetcher)
	if err != nil {
		return nil, err
	}
	a.undo = append(a.undo, m.Close)
	a.metrics.Pull(func(_ context.Context, emit metrics.Emit) {
		emit(metrics.Counter, "containerizer/mesos/container_destroy_errors", float64(m.DestroyErrors()))
		m.Gauges(func(name string, value float64) { emit(metrics.Gauge, name, value) })
	})
	return m, nil
}

// collected has the engine collect sandboxes. No container ends before the engine runs.
type collected struct{ *app }

func (c collected) Ended(outermost, sandbox string, recovered bool) {
	c.engine.CollectSandbox(outermost, sandbox, recovered)
}

func (c collected) Gone(sandbox string) { c.engine.KeepSandbox(sandbox) }

// weight is what the agent's cgroup weighs beside those of Kubernetes's pods: the
// cpus that it offers, as the kubelet weighs its pods. On a machine of its own an
// agent has no such neighbours, and leaves the weight as Mesos does.
func (f *Flags) weight() (float64, error) {
	if f.MountNamespace == "" {
		return 0, nil
	}
	has, err := f.offers()
	return has.Scalar("cpus").Float(), err
}

// offeredPorts are the ports that the agent offers.
func (f *Flags) offeredPorts() (resources.Ranges, error) {
	has, err := f.offers()
	return portsAmong(has.Proto()), err
}

// machineConfig is what the state machine is told of the flags.
func (a *app) machineConfig(ctx context.Context) (state.Config, error) {
	f := a.flags
	info, err := f.agentInfo(ctx, a.node.Address())
	if err != nil {
		return state.Config{}, err
	}
	container, err := f.defaultContainer()
	if err != nil {
		return state.Config{}, err
	}
	features, err := f.capabilities()
	if err != nil {
		return state.Config{}, err
	}
	limits := func(isolators ...string) bool {
		return slices.ContainsFunc(isolators, func(i string) bool { return strings.Contains(f.Isolation, i) })
	}
	return state.Config{
		Agent: info, Capabilities: features, Version: version.Mesos, IP: a.node.Address().Host, WorkDir: f.WorkDir,
		Reconnect: f.Recover == "reconnect", Reconfiguration: f.Reconfiguration,
		RegistrationBackoff: f.RegistrationBackoff, ExecutorRegistration: f.ExecutorRegistration,
		ExecutorReregistration: f.ExecutorReregistration, ReconnectRetry: f.reconnectRetry(),
		ExecutorShutdownGrace: f.ExecutorShutdownGrace,
		MaxCompletedExecutors: f.MaxCompletedExecutors, SwitchUser: f.SwitchUser, DefaultContainer: container,
		SandboxDirectory: f.SandboxDirectory, EnableCFS: f.EnableCFS,
		CPULimits: limits("cgroups/cpu", "cgroups/all"), MemoryLimits: limits("cgroups/mem", "cgroups/all"),
		CommandExecutor: executor.CommandInfo(a.programs.executors), DefaultExecutor: taskgroup.CommandInfo(a.programs.executors),
	}, nil
}

// fetcher fetches URIs by processes that the containerizer's spawner starts.
func (a *app) fetcher(spawner *spawn.Spawner) (mesos.Fetcher, error) {
	cfg := fetcher.DefaultConfig()
	cfg.Binary = a.programs.fetcher
	cfg.FrameworksHome, cfg.StallTimeout, cfg.HadoopHome = a.flags.FrameworksHome, a.flags.FetcherStallTimeout, text(a.flags.HadoopHome)
	cfg.CacheDir, cfg.CacheSize = a.flags.fetcherCache(), int64(a.flags.FetcherCacheSize)
	f, err := fetcher.New(cfg, spawner)
	if err != nil {
		return nil, err
	}
	a.metrics.Pull(func(_ context.Context, emit metrics.Emit) {
		s := f.Stats()
		emit(metrics.Counter, "containerizer/fetcher/task_fetches_succeeded", float64(s.Succeeded))
		emit(metrics.Counter, "containerizer/fetcher/task_fetches_failed", float64(s.Failed))
		emit(metrics.Gauge, "containerizer/fetcher/cache_size_used_bytes", float64(s.CacheUsed))
		emit(metrics.Gauge, "containerizer/fetcher/cache_size_total_bytes", float64(s.CacheTotal))
	})
	return f, nil
}

// fetcherCache is this agent's part of the directory that the flag names: another
// agent of the machine has its own. Where the agent has other files than its
// containers, it has to be in a directory that both have.
func (f *Flags) fetcherCache() string {
	dir := f.FetcherCacheDir
	if f.MountNamespace != "" && !f.set.Given("fetcher_cache_dir") {
		dir = filepath.Join(f.WorkDir, "fetch")
	}
	sum := sha256.Sum256([]byte(f.WorkDir))
	return filepath.Join(dir, "agent-"+hex.EncodeToString(sum[:4]))
}
