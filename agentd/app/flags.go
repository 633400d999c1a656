package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"time"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/mesos"
	"github.com/mesos-operator/mesos-operator/internal/detector"
	"github.com/mesos-operator/mesos-operator/internal/flags"
	"github.com/mesos-operator/mesos-operator/internal/logging"
	"github.com/mesos-operator/mesos-operator/internal/zookeeper"
)

// Flags are the settings of the agent: those of mesos-agent that have an effect,
// by their names and with their defaults, and a few of our own.
type Flags struct {
	Version bool

	Master                              string
	ZKSessionTimeout                    time.Duration
	WorkDir, RuntimeDir, LauncherDir    string
	IP, AdvertiseIP                     *netip.Addr
	Port                                uint16
	IPDiscovery, HadoopHome             *string
	Heartbeat                           time.Duration
	Features                            *json.RawMessage
	AdvertisePort                       *uint16
	Hostname                            *string
	HostnameLookup                      bool
	Attributes, Resources               *string
	DefaultRole                         string
	Domain                              *json.RawMessage
	RegistrationBackoff                 time.Duration
	Recover, Reconfiguration            string
	Strict                              bool
	RecoveryTimeout                     time.Duration
	ExecutorRegistration                time.Duration
	ExecutorReregistration              time.Duration
	ReconnectRetry                      *time.Duration
	ExecutorShutdownGrace               time.Duration
	ExecutorEnvironment                 *json.RawMessage
	MaxCompletedExecutors               int
	GCDelay, DiskWatchInterval          time.Duration
	GCDiskHeadroom                      float64
	GCNested                            bool
	SwitchUser                          bool
	ProviderConfigDir                   *string
	DefaultContainer                    *json.RawMessage
	SandboxDirectory                    string
	LogDir, ExternalLogFile             *string
	LoggingLevel                        string
	MemoryProfiling                     bool
	Quiet                               bool
	Isolation, Launcher                 string
	Runtime, OCIRuntime, MountNamespace string
	CgroupsHierarchy, CgroupsRoot       string
	CgroupsDestroyTimeout               time.Duration
	EnableCFS, LimitSwap, CountTasks    bool
	RevocableLowPriority                bool
	FetcherCacheDir                     string
	FetcherCacheSize                    flags.Bytes
	FetcherStallTimeout                 time.Duration
	FrameworksHome                      string

	isolators isolatorFlags
	image     imageFlags
	container dockerFlags
	access    accessFlags
	logger    loggerFlags
	extra     moduleFlags
	oversub   oversubscriptionFlags
	secrets   secretFlags
	socket    socketFlags

	modules modules // of extra

	set     *flags.Set
	ignored []string
}

// ParseFlags reads a command line and an environment in the form of os.Environ.
func ParseFlags(args, environ []string) (*Flags, error) {
	f := &Flags{set: flags.New("agentd")}
	f.define()
	f.defineContainers()
	f.isolators.define(f.set)
	f.image.define(f.set)
	f.container.define(f.set)
	f.access.define(f.set)
	f.logger.define(f.set)
	f.extra.define(f.set)
	f.oversub.define(f.set)
	f.secrets.define(f.set)
	f.socket.define(f.set)
	compat := defineCompat(f.set)
	if err := f.set.Parse(args, environ); err != nil {
		return f, err
	}
	if f.Version {
		return f, nil
	}
	if f.Master == "" || f.WorkDir == "" {
		return f, fmt.Errorf("flags --master and --work_dir are required")
	}
	if f.IP != nil && f.IPDiscovery != nil {
		return f, fmt.Errorf("only one of --ip and --ip_discovery_command can be given")
	}
	if _, err := f.capabilities(); err != nil {
		return f, err
	}
	if err := detector.Validate(f.Master); err != nil {
		return f, fmt.Errorf("flag --master: %w", err)
	}
	if !filepath.IsAbs(f.WorkDir) {
		return f, fmt.Errorf("--work_dir=%s: want an absolute path", f.WorkDir)
	}
	if err := errors.Join(f.access.validate(), f.secrets.validate(), f.socket.validate(f.RuntimeDir, f.runsDocker())); err != nil {
		return f, err
	}
	if _, err := f.container.names(); err != nil {
		return f, err
	}
	var err error
	if f.modules, err = f.extra.modules(); err != nil {
		return f, err
	}
	f.ignored, err = compat.check(f.set)
	return f, err
}

func (f *Flags) define() {
	s := f.set
	s.Bool(&f.Version, "version", false, "Print the version and exit.")
	flags.Var(s, &f.Master, "master", "", masterType, "Where masters are: host:port, several with commas in between, "+
		"a name with the addresses of all, zk://user:password@host:port,host:port/path, or file:///path of a file with one of these.")
	s.Duration(&f.ZKSessionTimeout, "zk_session_timeout", zookeeper.DefaultTimeout,
		"How long a session with ZooKeeper lasts without a word.")
	s.String(&f.WorkDir, "work_dir", "", "Directory for sandboxes, persistent volumes and checkpoints. It has to survive a reboot.")
	flags.Optional(s, &f.IP, "ip", flags.IPType, "Address to listen on. Default: all.")
	s.OptionalString(&f.IPDiscovery, "ip_discovery_command", "Shell command that prints the address to listen on. Not with --ip.")
	flags.Var(s, &f.Port, "port", 5051, flags.PortType, "Port to listen on.")
	flags.Optional(s, &f.AdvertiseIP, "advertise_ip", flags.IPType, "Address that masters and executors reach the agent at.")
	flags.Optional(s, &f.AdvertisePort, "advertise_port", flags.PortType, "Port likewise.")
	s.OptionalString(&f.Hostname, "hostname", "Name that offers tell. Default: that of the address.")
	s.Bool(&f.HostnameLookup, "hostname_lookup", true, "Look up the name of the address; else the address is the name.")
	s.OptionalString(&f.Attributes, "attributes", "Attributes of the machine: rack:2;zone:a.")
	s.OptionalString(&f.Resources, "resources", "What to offer: cpus:8;mem:4096;ports:[31000-32000], or JSON. What isn't named is taken from the machine.")
	s.String(&f.DefaultRole, "default_role", "*", "Role that resources without one are reserved for.")
	flags.Optional(s, &f.Domain, "domain", domainType, "Region and zone of the machine, as JSON of DomainInfo; an empty text is none.")
	s.Duration(&f.RegistrationBackoff, "registration_backoff_factor", time.Second, "Base of the pauses between attempts to register.")
	flags.Var(s, &f.Recover, "recover", "reconnect", flags.OneOf("reconnect", "cleanup"), "Whether to go on with live executors, or to end them and exit.")
	flags.Optional(s, &f.Features, "agent_features", flags.JSONType, "What masters are told that the agent can do. Default: all.")
	s.Duration(&f.Heartbeat, "http_heartbeat_interval", 30*time.Second, "Pause between heartbeats to who is attached to a container.")
	s.String(&f.LauncherDir, "launcher_dir", "/usr/local/libexec/mesos", "The directory of executord, if it is not beside agentd.")
	s.OptionalString(&f.HadoopHome, "hadoop_home", "Where the hadoop client is, for URIs that nothing else can fetch. Default: $HADOOP_HOME, or in $PATH.")
	s.Bool(&f.Strict, "strict", true, "Don't start with checkpoints that are damaged; else they are skipped and reported.")
	flags.Var(s, &f.Reconfiguration, "reconfiguration_policy", "equal", flags.OneOf("equal", "additive", "any"),
		"How the agent's description may have changed since it last ran.")
	s.Duration(&f.RecoveryTimeout, "recovery_timeout", 15*time.Minute, "How long executors wait for an agent that is away.")
	s.Duration(&f.ExecutorRegistration, "executor_registration_timeout", time.Minute, "How long an executor may take to register.")
	s.Duration(&f.ExecutorReregistration, "executor_reregistration_timeout", 2*time.Second,
		"How long executors may take to come back to a restarted agent.", flags.Check(f.checkReregistration))
	flags.Optional(s, &f.ReconnectRetry, "executor_reregistration_retry_interval", flags.DurationType,
		"How often to ask executors of the native driver to come back. Default: once.", flags.Check(f.checkReconnectRetry))
	s.Duration(&f.ExecutorShutdownGrace, "executor_shutdown_grace_period", 5*time.Second, "How long an executor may take to end.")
	flags.Optional(s, &f.ExecutorEnvironment, "executor_environment_variables", flags.JSONType, "Variables for all executors, as an object of strings.")
	s.Int(&f.MaxCompletedExecutors, "max_completed_executors_per_framework", 150, "How many ended executors to remember.")
	s.Duration(&f.GCDelay, "gc_delay", 7*24*time.Hour, "How long to keep directories that are not used any more, at most.")
	s.Float(&f.GCDiskHeadroom, "gc_disk_headroom", 0.1, "Part of the disk to keep free by removing them earlier.", flags.Check(f.checkHeadroom))
	s.Bool(&f.GCNested, "gc_non_executor_container_sandboxes", false,
		"Remove the sandboxes of nested and standalone containers that have ended likewise; else they go with what they are in, or are removed by a call.")
	s.Duration(&f.DiskWatchInterval, "disk_watch_interval", time.Minute, "How often to look at the disk.")
	s.Bool(&f.SwitchUser, "switch_user", true, "Run tasks as the user that the framework names.")
	flags.Optional(s, &f.DefaultContainer, "default_container_info", flags.JSONType, "ContainerInfo for executors without one.")
	s.String(&f.SandboxDirectory, "sandbox_directory", "/mnt/mesos/sandbox", "Where containers with an image see their sandbox.")
	s.OptionalString(&f.ProviderConfigDir, "resource_provider_config_dir",
		"Directory with descriptions of resource providers that the agent is to start: JSON of ResourceProviderInfo.")
	s.OptionalString(&f.LogDir, "log_dir", "Directory for a log file.")
	s.OptionalString(&f.ExternalLogFile, "external_log_file", "Log file that something else writes, to be shown.")
	flags.Var(s, &f.LoggingLevel, "logging_level", logging.Info, flags.OneOf(logging.Info, logging.Warning, logging.Error), "What to log at least.")
	s.Bool(&f.MemoryProfiling, "memory_profiling", false, "Serve profiles of memory at /memory-profiler.")
	s.Bool(&f.Quiet, "quiet", false, "Don't log to standard error.")
}

func (f *Flags) defineContainers() {
	s, d := f.set, mesos.DefaultConfig()
	s.String(&f.RuntimeDir, "runtime_dir", d.RuntimeDir, "Directory for what should not survive a reboot.")
	s.String(&f.Isolation, "isolation", "posix/cpu,posix/mem", "Isolators, with commas in between.")
	s.String(&f.Launcher, "launcher", d.Launcher, "linux (a cgroup for each container) or posix.")
	s.String(&f.Runtime, "runtime", d.Runtime, "What starts containers: posix, or oci, which is the default with isolators that need it.")
	s.String(&f.OCIRuntime, "oci_runtime", d.OCIRuntime, "Executable of the OCI runtime.")
	s.String(&f.MountNamespace, "host_mount_namespace", "", "Mount namespace for tasks without an image, as /proc/<pid>/ns/mnt. Default: the agent's own.")
	s.String(&f.CgroupsHierarchy, "cgroups_hierarchy", d.CgroupsHierarchy, "Where cgroups are mounted.")
	s.String(&f.CgroupsRoot, "cgroups_root", d.CgroupsRoot, "The agent's cgroup, which no other agent may share.")
	s.Duration(&f.CgroupsDestroyTimeout, "cgroups_destroy_timeout", d.DestroyTimeout, "How long to try to remove a cgroup.")
	s.Bool(&f.EnableCFS, "cgroups_enable_cfs", false, "Limit containers to the cpus that they request.")
	s.Bool(&f.LimitSwap, "cgroups_limit_swap", false, "Limit memory and swap together.")
	s.Bool(&f.CountTasks, "cgroups_cpu_enable_pids_and_tids_count", false, "Count processes and threads in statistics.")
	s.Bool(&f.RevocableLowPriority, "revocable_cpu_low_priority", true, "Give containers with revocable cpus little weight.")
	s.String(&f.FetcherCacheDir, "fetcher_cache_dir", "/tmp/mesos/fetch", "Directory for files that are fetched once for all.")
	s.Bytes(&f.FetcherCacheSize, "fetcher_cache_size", 2*flags.Gigabyte, "How much to keep there.")
	s.Duration(&f.FetcherStallTimeout, "fetcher_stall_timeout", time.Minute, "After how much silence a download has failed.")
	s.String(&f.FrameworksHome, "frameworks_home", "", "Directory that relative URIs of executors are in.")
}

// masterType is where masters are; /flags doesn't show a password of ZooKeeper's.
var masterType = flags.Type[string]{
	Parse: func(text string) (string, error) { return text, nil },
	Format: func(text string) string {
		if u, err := zookeeper.ParseURL(text); err == nil && u.Credentials != "" {
			return u.String()
		}
		return text
	},
	Value: "MASTERS",
	Raw:   true, // a file is read again for each detection
}

// maxReregistration is Mesos's bound: masters drop agents that take longer.
const maxReregistration = 15 * time.Second

func (f *Flags) checkReregistration() error {
	if f.ExecutorReregistration <= 0 || f.ExecutorReregistration > maxReregistration {
		return fmt.Errorf("want more than zero and at most %s", flags.FormatDuration(maxReregistration))
	}
	return nil
}

func (f *Flags) checkReconnectRetry() error {
	if f.ReconnectRetry != nil && *f.ReconnectRetry <= 0 {
		return fmt.Errorf("want more than zero")
	}
	return nil
}

// reconnectRetry is zero for not at all.
func (f *Flags) reconnectRetry() time.Duration {
	if f.ReconnectRetry == nil {
		return 0
	}
	return *f.ReconnectRetry
}

func (f *Flags) checkHeadroom() error {
	if f.GCDiskHeadroom < 0 || f.GCDiskHeadroom > 1 {
		return fmt.Errorf("want a number between 0 and 1")
	}
	return nil
}
