package app

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"time"

	"github.com/mesos-operator/mesos-operator/internal/flags"
	"github.com/mesos-operator/mesos-operator/masterd/allocator"
	"github.com/mesos-operator/mesos-operator/masterd/state"
)

// Flags are the settings of masterd: those of mesos-master 1.11 under their
// names, and a few of our own.
type Flags struct {
	Set *flags.Set

	// Network.
	IP                  *netip.Addr
	IPDiscoveryCommand  *string
	Port                uint16
	AdvertiseIP         *netip.Addr
	AdvertisePort       *uint16
	Hostname            *string
	HostnameLookup      bool
	Domain              *json.RawMessage
	Cluster             *string
	WorkDir             string
	ShowVersion         bool
	ExternalLogFile     *string
	LogDir              *string
	LoggingLevel        string
	MemoryProfiling     bool
	Quiet               bool
	Access              AccessFlags
	Roles, Weights      *string
	Whitelist           *string
	RootSubmissions     bool
	RequireAgentDomain  bool
	MaxSubscribers      int
	PerFrameworkMetrics bool

	// Registry.
	RegistryFlags

	// Kubernetes.
	KubeLeaderLabel *string

	// Allocation.
	AllocationInterval  time.Duration
	RoleSorter          string
	FrameworkSorter     string
	MinAllocatable      string
	FairSharingExcluded *string
	FilterGPUs          bool
	RecoveryTimeout     time.Duration
	RecoveryFactor      float64
	REMaxMemory         flags.Bytes
	REMaxProgramSize    int

	// Agents and frameworks.
	AgentPingTimeout       time.Duration
	MaxAgentPingTimeouts   int
	AgentReregisterTimeout time.Duration
	AgentRemovalRateLimit  *state.RateLimit
	RecoveryRemovalLimit   float64
	OfferTimeout           *time.Duration
	MaxCompletedFrameworks int
	MaxCompletedTasks      int
	MaxUnreachableTasks    int
	MaxExecutorsPerAgent   *int
	RateLimits             *json.RawMessage
	RegistryGCInterval     time.Duration
	RegistryMaxAgentAge    time.Duration
	RegistryMaxAgentCount  int
}

// NewFlags defines the flags. Call Set.Parse next.
func NewFlags() *Flags {
	f := &Flags{Set: flags.New("masterd")}
	f.defineProgram()
	f.defineNetwork()
	f.defineRegistry()
	f.defineAccess()
	f.defineAllocation()
	f.defineLife()
	f.defineRemoval()
	defineIgnored(f.Set)
	return f
}

func (f *Flags) defineProgram() {
	s := f.Set
	s.Bool(&f.ShowVersion, "version", false, "Print the version and exit.")
	s.String(&f.WorkDir, "work_dir", "", "Directory for the registry; needed unless --registry=in_memory.")
	s.OptionalString(&f.Cluster, "cluster", "Name of the cluster, shown by /state and UIs.")
	flags.Var(s, &f.LoggingLevel, "logging_level", "INFO", flags.OneOf("INFO", "WARNING", "ERROR"),
		"Lowest severity that is logged.")
	s.OptionalString(&f.LogDir, "log_dir", "Directory for a log file, which /files shows as /master/log.")
	s.OptionalString(&f.ExternalLogFile, "external_log_file",
		"Log file written by somebody else, to be shown by /files as /master/log.")
	s.Bool(&f.MemoryProfiling, "memory_profiling", false, "Serve profiles of memory at /memory-profiler.")
	s.Bool(&f.Quiet, "quiet", false, "Don't log to standard error.")
}

func (f *Flags) defineNetwork() {
	s := f.Set
	flags.Optional(s, &f.IP, "ip", flags.IPType, "IP address to listen on; default: all.")
	s.OptionalString(&f.IPDiscoveryCommand, "ip_discovery_command",
		"Shell command that prints the IP address to listen on.")
	flags.Var(s, &f.Port, "port", 5050, flags.PortType, "Port to listen on.")
	flags.Optional(s, &f.AdvertiseIP, "advertise_ip", flags.IPType,
		"IP address by which agents, frameworks and other masters reach this one.")
	flags.Optional(s, &f.AdvertisePort, "advertise_port", flags.PortType, "Port that goes with --advertise_ip.")
	s.OptionalString(&f.Hostname, "hostname",
		"Host name that clients are told; default: found by the IP address.")
	s.Bool(&f.HostnameLookup, "hostname_lookup", true,
		"Look up the host name of the IP address; without it the address stands for it.")
	flags.Optional(s, &f.Domain, "domain", flags.JSONType, "Fault domain of this master, as JSON of DomainInfo.")
	s.OptionalString(&f.KubeLeaderLabel, "kube_leader_label",
		"In Kubernetes: label that the leading master puts on its pod, which POD_NAME and POD_NAMESPACE name.")
}

func (f *Flags) defineAccess() {
	s := f.Set
	f.Access.define(s)
	s.OptionalString(&f.Roles, "roles", "Roles that frameworks may have, separated by commas; default: all.")
	flags.Optional(s, &f.Whitelist, "whitelist", flags.PathType,
		"File with the hosts whose agents are offered, one a line; it may change at any time. Default: all.")
	s.OptionalString(&f.Weights, "weights",
		"Weights that roles start with, as role=weight separated by commas. Ignored once the registry has weights.")
	s.Bool(&f.RootSubmissions, "root_submissions", true, "Let frameworks run as root.")
	s.Bool(&f.RequireAgentDomain, "require_agent_domain", false, "Refuse agents without a fault domain.")
	s.Int(&f.MaxSubscribers, "max_operator_event_stream_subscribers", 1000,
		"Subscribers of operator events; when there are more, the oldest is cut off.")
	s.Bool(&f.PerFrameworkMetrics, "publish_per_framework_metrics", true, "Have metrics of each framework.")
}

func (f *Flags) defineAllocation() {
	s := f.Set
	d := allocator.DefaultConfig()
	s.Duration(&f.AllocationInterval, "allocation_interval", d.Interval, "Time between two allocations.")
	flags.Var(s, new(string), "allocator", builtInAllocator, allocatorType,
		"The allocator: there is none but the built-in one.")
	sorter := flags.OneOf(allocator.SorterDRF, allocator.SorterRandom)
	flags.Var(s, &f.RoleSorter, "role_sorter", d.RoleSorter, sorter, "How roles are ordered.", flags.Alias("user_sorter"))
	flags.Var(s, &f.FrameworkSorter, "framework_sorter", d.FrameworkSorter, sorter,
		"How the frameworks of a role are ordered.")
	s.String(&f.MinAllocatable, "min_allocatable_resources", "cpus:0.01|mem:32",
		"Least that is offered: quantities separated by ';', alternatives by '|'.")
	s.OptionalString(&f.FairSharingExcluded, "fair_sharing_excluded_resource_names",
		"Resources that don't count for fair shares, separated by commas.")
	s.Bool(&f.FilterGPUs, "filter_gpu_resources", d.FilterGPUs,
		"Offer agents with GPUs to frameworks with the capability GPU_RESOURCES only.")
	s.Duration(&f.RecoveryTimeout, "allocator_recovery_timeout", d.RecoveryTimeout,
		"Longest time that a new leader waits for agents before it offers, when there is quota.")
	s.Float(&f.RecoveryFactor, "allocator_agent_recovery_factor", d.RecoveryFactor,
		"Part of the known agents that ends the wait.")
	s.Bytes(&f.REMaxMemory, "offer_constraints_re2_max_mem", 4*flags.Kilobyte,
		"Memory that a regular expression of offer constraints may take.")
	s.Int(&f.REMaxProgramSize, "offer_constraints_re2_max_program_size", 100,
		"Size that a regular expression of offer constraints may have.")
}

// builtInAllocator is the name of the allocator that Mesos has built in;
// HierarchicalDRF is what its documentation calls it.
const builtInAllocator = "hierarchical"

// allocatorType refuses the names of allocators that come with Mesos's modules:
// whoever relies on one had better hear of it.
var allocatorType = flags.Type[string]{
	Parse: func(name string) (string, error) {
		if name == builtInAllocator || name == "HierarchicalDRF" {
			return name, nil
		}
		return "", fmt.Errorf("no allocator is called %q: modules can't be loaded, and the built-in one is %q", name, builtInAllocator)
	},
	Format: func(name string) string { return name },
	Value:  builtInAllocator,
}

func (f *Flags) defineLife() {
	s := f.Set
	s.Duration(&f.AgentPingTimeout, "agent_ping_timeout", 15*time.Second,
		"Time an agent has to answer a ping.", flags.Alias("slave_ping_timeout"))
	s.Int(&f.MaxAgentPingTimeouts, "max_agent_ping_timeouts", 5,
		"Unanswered pings in a row after which an agent is unreachable.", flags.Alias("max_slave_ping_timeouts"))
	s.Duration(&f.AgentReregisterTimeout, "agent_reregister_timeout", 10*time.Minute,
		"Time that agents have to come back after a change of leader.", flags.Alias("slave_reregister_timeout"))
	flags.Optional(s, &f.OfferTimeout, "offer_timeout", flags.DurationType,
		"Time after which an offer that was not answered is taken back; default: never.")
	flags.Optional(s, &f.RateLimits, "rate_limits", flags.JSONType,
		"How many messages a second native drivers may send, by principal, as JSON of RateLimits.")
	flags.Optional(s, &f.MaxExecutorsPerAgent, "max_executors_per_agent", flags.IntType,
		"Executors of frameworks after which an agent is not offered; default: no limit.",
		flags.Alias("max_executors_per_slave"))
	s.Int(&f.MaxCompletedFrameworks, "max_completed_frameworks", 50, "Frameworks remembered after their end.")
	s.Int(&f.MaxCompletedTasks, "max_completed_tasks_per_framework", 1000,
		"Tasks of each framework remembered after their end.")
	s.Int(&f.MaxUnreachableTasks, "max_unreachable_tasks_per_framework", 1000,
		"Tasks on unreachable agents remembered of each framework.")
}
