package state

import (
	"errors"
	"fmt"
	"time"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/acl"
	"github.com/mesos-operator/mesos-operator/masterd/allocator/constraint"
)

// Config is what a machine must know before it starts; most of it are flags of
// mesos-master of the same name. DefaultConfig has Mesos's defaults.
type Config struct {
	// Master is what the master tells of itself: in SUBSCRIBED events and to
	// drivers. Its ID prefixes every ID that this master assigns, so two
	// masters must never share one. Required, with an ID.
	Master *mesos.MasterInfo

	// AgentPingTimeout is the time between two pings of an agent, and how
	// long it has for the answer (--agent_ping_timeout).
	AgentPingTimeout time.Duration
	// MaxAgentPingTimeouts is how many pings in a row may go unanswered
	// before the agent is marked unreachable (--max_agent_ping_timeouts).
	MaxAgentPingTimeouts int
	// AgentReregisterTimeout is how long agents have to come back: all that
	// the registry knows after a change of leader, and one whose connection
	// broke (--agent_reregister_timeout).
	AgentReregisterTimeout time.Duration

	// AgentRemovalRateLimit bounds how often an agent is marked unreachable
	// (--agent_removal_rate_limit).
	AgentRemovalRateLimit RateLimit
	// RecoveryAgentRemovalLimit is the part of the registry's agents, 0 to 1,
	// that may be missing AgentReregisterTimeout after a change of leader. If
	// there are more, the master rather gives up than mark them unreachable
	// (--recovery_agent_removal_limit).
	RecoveryAgentRemovalLimit float64

	// OfferTimeout rescinds offers that were not answered for so long; zero
	// never does (--offer_timeout).
	OfferTimeout time.Duration
	// HeartbeatInterval is the time between HEARTBEAT events on a scheduler's
	// stream. Mesos has no flag for it and uses 15 seconds.
	HeartbeatInterval time.Duration

	// MaxCompletedFrameworks bounds the frameworks that are remembered after
	// their end (--max_completed_frameworks).
	MaxCompletedFrameworks int
	// MaxCompletedTasksPerFramework bounds the terminal tasks that are
	// remembered of each (--max_completed_tasks_per_framework).
	MaxCompletedTasksPerFramework int
	// MaxUnreachableTasksPerFramework bounds the unreachable tasks that are
	// remembered of each (--max_unreachable_tasks_per_framework).
	MaxUnreachableTasksPerFramework int

	// MaxExecutorsPerAgent keeps an agent with so many executors of frameworks
	// from being offered; zero doesn't (--max_executors_per_agent).
	MaxExecutorsPerAgent int
	// RateLimits bound the messages of native drivers, by principal; nil is no
	// limit (--rate_limits).
	RateLimits *mesos.RateLimits

	// RegistryGCInterval is the time between two sweeps of the registry's
	// lists of unreachable and gone agents (--registry_gc_interval).
	RegistryGCInterval time.Duration
	// RegistryMaxAgentAge is how long such an agent is remembered
	// (--registry_max_agent_age).
	RegistryMaxAgentAge time.Duration
	// RegistryMaxAgentCount is how many of each kind are remembered
	// (--registry_max_agent_count).
	RegistryMaxAgentCount int

	// Roles is the whitelist of roles that frameworks may subscribe to, nil
	// for all (--roles). "*" is always allowed.
	Roles []string
	// Weights are those that roles start with (--weights). Once the registry
	// has weights, those count.
	Weights map[string]float64
	// NoRootSubmissions refuses frameworks that run as root
	// (--no-root_submissions).
	NoRootSubmissions bool
	// Authorizer says what frameworks and agents may do; nil allows
	// everything (--acls).
	Authorizer *acl.Authorizer
	// AuthenticateFrameworks refuses native drivers that did not authenticate
	// (--authenticate_frameworks).
	AuthenticateFrameworks bool
	// AuthenticateAgents refuses agents that did not authenticate
	// (--authenticate_agents).
	AuthenticateAgents bool
	// RequireAgentDomain refuses agents without a fault domain
	// (--require_agent_domain).
	RequireAgentDomain bool

	// OfferConstraints bounds the expressions in offer constraints
	// (--offer_constraints_re2_max_mem and _max_program_size).
	OfferConstraints constraint.Limits

	// DebugLog makes the machine emit Log effects of LogDebug, one for most
	// calls and messages. Without it they cost nothing.
	DebugLog bool
}

// DefaultConfig returns the defaults of mesos-master 1.11.
func DefaultConfig(master *mesos.MasterInfo) Config {
	return Config{
		Master:                          master,
		AgentPingTimeout:                15 * time.Second,
		MaxAgentPingTimeouts:            5,
		AgentReregisterTimeout:          10 * time.Minute,
		RecoveryAgentRemovalLimit:       1,
		HeartbeatInterval:               15 * time.Second,
		MaxCompletedFrameworks:          50,
		MaxCompletedTasksPerFramework:   1000,
		MaxUnreachableTasksPerFramework: 1000,
		RegistryGCInterval:              15 * time.Minute,
		RegistryMaxAgentAge:             14 * 24 * time.Hour,
		RegistryMaxAgentCount:           100 * 1024,
		OfferConstraints:                constraint.DefaultLimits,
	}
}

// minAgentReregisterTimeout is the bound that mesos-master puts on
// --agent_reregister_timeout: less would declare agents lost that are merely
// restarting.
const minAgentReregisterTimeout = 10 * time.Minute

// Validate returns what is wrong with the values, in the words of the flags.
func (c Config) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(c.Master.GetId() != "", "the master needs an ID")
	check(c.AgentPingTimeout >= time.Second && c.AgentPingTimeout <= 15*time.Minute,
		"agent_ping_timeout is %v: must be between 1secs and 15mins", c.AgentPingTimeout)
	check(c.MaxAgentPingTimeouts >= 1, "max_agent_ping_timeouts is %d: must be at least 1", c.MaxAgentPingTimeouts)
	check(c.AgentReregisterTimeout >= minAgentReregisterTimeout,
		"agent_reregister_timeout is %v: must be at least %v", c.AgentReregisterTimeout, minAgentReregisterTimeout)
	check(c.AgentRemovalRateLimit.Permits >= 0 && c.AgentRemovalRateLimit.Per >= 0,
		"agent_removal_rate_limit must not be negative")
	check(c.RecoveryAgentRemovalLimit >= 0 && c.RecoveryAgentRemovalLimit <= 1,
		"recovery_agent_removal_limit is %v%%: must be between 0%% and 100%%", 100*c.RecoveryAgentRemovalLimit)
	check(c.OfferTimeout >= 0, "offer_timeout is %v: must not be negative", c.OfferTimeout)
	check(c.HeartbeatInterval > 0, "the heartbeat interval is %v: must be positive", c.HeartbeatInterval)
	check(c.MaxCompletedFrameworks >= 0, "max_completed_frameworks must not be negative")
	check(c.MaxCompletedTasksPerFramework >= 0, "max_completed_tasks_per_framework must not be negative")
	check(c.MaxUnreachableTasksPerFramework >= 0, "max_unreachable_tasks_per_framework must not be negative")
	check(c.MaxExecutorsPerAgent >= 0, "max_executors_per_agent must not be negative")
	check(c.RegistryGCInterval > 0, "registry_gc_interval is %v: must be positive", c.RegistryGCInterval)
	check(c.RegistryMaxAgentAge >= 0, "registry_max_agent_age must not be negative")
	check(c.RegistryMaxAgentCount >= 0, "registry_max_agent_count must not be negative")
	if err := validateRateLimits(c.RateLimits); err != nil {
		errs = append(errs, err)
	}
	for role, weight := range c.Weights {
		err := validateWeight(role, weight)
		check(err == nil, "weights: %w", err)
		check(c.allows(role), "weights: %q is not among the roles", role)
	}
	return errors.Join(errs...)
}
