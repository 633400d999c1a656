package state

import (
	"errors"
	"time"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/acl"
)

// Source gives the machine what is random. The engine's draws from the system;
// that of tests repeats itself.
type Source interface {
	// UUID returns a version 4 UUID.
	UUID() [16]byte
	// Fraction returns a number in [0, 1).
	Fraction() float64
}

// Config holds what the machine needs of the agent's flags. Durations have the
// defaults of Mesos's flags of the same names.
type Config struct {
	// Agent describes this agent, without ID. Required.
	Agent *mesos.AgentInfo
	// Capabilities are what the master is told that the agent can do.
	Capabilities []*mesos.AgentInfo_Capability
	// Version is the version of Mesos that the agent behaves as.
	Version string
	// PID is the agent's libprocess PID, such as slave(1)@10.0.0.1:5051.
	PID string
	// IP is the address that tasks on the host's network are reached at.
	IP string
	// WorkDir is the root of the sandboxes.
	WorkDir string
	// Random is where UUIDs and jitter come from. Required.
	Random Source

	// Authorizer says as which users frameworks may run tasks; nil allows all.
	Authorizer *acl.Authorizer

	// Reconnect is false for --recover=cleanup: executors are shut down after
	// recovery and the agent ends.
	Reconnect bool
	// Reconfiguration is what may differ from the agent's former life:
	// "equal", "additive" or "any".
	Reconfiguration string

	RegistrationBackoff     time.Duration        // --registration_backoff_factor
	ExecutorRegistration    time.Duration        // --executor_registration_timeout
	ExecutorReregistration  time.Duration        // --executor_reregistration_timeout
	ReconnectRetry          time.Duration        // --executor_reregistration_retry_interval; 0 asks once
	ExecutorShutdownGrace   time.Duration        // --executor_shutdown_grace_period
	MaxCompletedExecutors   int                  // --max_completed_executors_per_framework
	SwitchUser              bool                 // --switch_user
	DefaultContainer        *mesos.ContainerInfo // --default_container_info
	SandboxDirectory        string               // --sandbox_directory
	CPULimits, MemoryLimits bool                 // whether isolators enforce cpus and mem
	EnableCFS               bool                 // --cgroups_enable_cfs

	// CommandExecutor starts the executor of tasks that bring a command only;
	// DefaultExecutor that of task groups, nil if the agent has none.
	CommandExecutor *mesos.CommandInfo
	DefaultExecutor *mesos.CommandInfo
}

// Defaults of Mesos 1.11, where the flags have the same.
const (
	defaultRegistrationBackoff    = time.Second
	defaultExecutorRegistration   = time.Minute
	defaultExecutorReregistration = 2 * time.Second
	defaultExecutorShutdownGrace  = 5 * time.Second
	defaultMaxCompletedExecutors  = 150
)

// Constants of Mesos 1.11 (src/slave/constants.hpp).
const (
	maxRegistrationBackoff   = time.Minute
	updateRetryMin           = 10 * time.Second
	updateRetryMax           = 10 * time.Minute
	maxCompletedFrameworks   = 50
	maxCompletedTasks        = 200
	executorCPUs             = 0.1
	executorMem              = 32               // MB
	defaultPingTimeout       = 75 * time.Second // five pings, 15 s apart
	commandExecutorKillSlack = 2 * time.Second  // beyond a task's own grace period
)

// withDefaults fills in what is unset.
func (c Config) withDefaults() Config {
	setDefault(&c.RegistrationBackoff, defaultRegistrationBackoff)
	setDefault(&c.ExecutorRegistration, defaultExecutorRegistration)
	setDefault(&c.ExecutorReregistration, defaultExecutorReregistration)
	setDefault(&c.ExecutorShutdownGrace, defaultExecutorShutdownGrace)
	setDefault(&c.MaxCompletedExecutors, defaultMaxCompletedExecutors)
	setDefault(&c.Reconfiguration, "equal")
	return c
}

func setDefault[T comparable](field *T, value T) {
	if *field == *new(T) {
		*field = value
	}
}

// Validate reports what is wrong with the settings.
func (c Config) Validate() error {
	var errs []error
	if c.Agent == nil {
		errs = append(errs, errors.New("no agent info"))
	}
	if c.Random == nil {
		errs = append(errs, errors.New("no source of UUIDs"))
	}
	if c.WorkDir == "" {
		errs = append(errs, errors.New("no work directory"))
	}
	switch c.Reconfiguration {
	case "", "equal", "additive", "any":
	default:
		errs = append(errs, errors.New("reconfiguration policy is none of equal, additive, any"))
	}
	return errors.Join(errs...)
}
