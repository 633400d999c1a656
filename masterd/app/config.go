package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/logging"
	"github.com/mesos-operator/mesos-operator/internal/roles"
	"github.com/mesos-operator/mesos-operator/masterd/allocator"
	"github.com/mesos-operator/mesos-operator/masterd/allocator/constraint"
	"github.com/mesos-operator/mesos-operator/masterd/state"
)

// Validate reports what is wrong with the flags together, and which of them
// ask for a protection that this version doesn't have: a master must not start
// as if it had it.
func (f *Flags) Validate() error {
	var errs []error
	if err := f.Access.validate(); err != nil {
		errs = append(errs, err)
	}
	if kind, err := f.registryKind(); err == nil && kind == registryRaft && f.WorkDir == "" {
		errs = append(errs, fmt.Errorf("flag --work_dir is required with --registry=%s", f.Registry))
	}
	if f.IP != nil && f.IPDiscoveryCommand != nil {
		errs = append(errs, errors.New("only one of --ip and --ip_discovery_command can be given"))
	}
	if err := f.validateMachine(); err != nil {
		errs = append(errs, err)
	}
	if _, err := f.roles(); err != nil {
		errs = append(errs, fmt.Errorf("flag --roles: %w", err))
	}
	if _, err := parseWeights(f.Weights); err != nil {
		errs = append(errs, fmt.Errorf("flag --weights: %w", err))
	}
	errs = append(errs, f.validateRegistry()...)
	return errors.Join(errs...)
}

// roles are those that frameworks may have; nil for any.
func (f *Flags) roles() ([]string, error) {
	if f.Roles == nil {
		return nil, nil
	}
	return roles.Parse(*f.Roles)
}

// parseWeights reads "role=weight,role=weight".
func parseWeights(s *string) (map[string]float64, error) {
	weights := map[string]float64{}
	for _, item := range split(s) {
		role, text, ok := strings.Cut(item, "=")
		weight, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
		if !ok || err != nil {
			return nil, fmt.Errorf("'%s' is not of the form role=weight", item)
		}
		if !(weight > 0) {
			return nil, fmt.Errorf("'%s': a weight is a positive number", item)
		}
		weights[strings.TrimSpace(role)] = weight
	}
	return weights, nil
}

// machine are the settings of the state machine of one term.
func (f *Flags) machine(self *mesos.MasterInfo, debug bool) state.Config {
	c := state.DefaultConfig(self)
	c.AgentPingTimeout = f.AgentPingTimeout
	c.MaxAgentPingTimeouts = f.MaxAgentPingTimeouts
	c.AgentReregisterTimeout = f.AgentReregisterTimeout
	c.RecoveryAgentRemovalLimit = f.RecoveryRemovalLimit
	if f.AgentRemovalRateLimit != nil {
		c.AgentRemovalRateLimit = *f.AgentRemovalRateLimit
	}
	if f.OfferTimeout != nil {
		c.OfferTimeout = *f.OfferTimeout
	}
	c.MaxCompletedFrameworks = f.MaxCompletedFrameworks
	c.MaxCompletedTasksPerFramework = f.MaxCompletedTasks
	c.MaxUnreachableTasksPerFramework = f.MaxUnreachableTasks
	c.RegistryGCInterval = f.RegistryGCInterval
	c.RegistryMaxAgentAge = f.RegistryMaxAgentAge
	c.RegistryMaxAgentCount = f.RegistryMaxAgentCount
	c.Roles, _ = f.roles()                 // Validate refused others
	c.Weights, _ = parseWeights(f.Weights) // Validate refused others
	c.NoRootSubmissions = !f.RootSubmissions
	c.AuthenticateFrameworks = f.Access.Frameworks
	c.AuthenticateAgents = f.Access.Agents
	c.RequireAgentDomain = f.RequireAgentDomain
	f.limits(&c)
	c.DebugLog = debug
	return c
}

// allocator are the settings of the allocator of one term.
func (f *Flags) allocator(self *mesos.MasterInfo, seed uint64) (allocator.Config, error) {
	c := allocator.DefaultConfig()
	c.Interval = f.AllocationInterval
	c.RoleSorter, c.FrameworkSorter = f.RoleSorter, f.FrameworkSorter
	c.FairSharingExcluded = split(f.FairSharingExcluded)
	c.FilterGPUs = f.FilterGPUs
	c.Domain = self.Domain
	c.RecoveryTimeout, c.RecoveryFactor = f.RecoveryTimeout, f.RecoveryFactor
	c.Seed = seed
	var err error
	if c.MinAllocatable, err = allocator.ParseMinAllocatable(f.MinAllocatable); err != nil {
		return c, fmt.Errorf("flag --min_allocatable_resources: %w", err)
	}
	return c, nil
}

func (f *Flags) constraints() constraint.Limits {
	return constraint.Limits{MaxMemory: int(f.REMaxMemory), MaxProgramSize: f.REMaxProgramSize}
}

func jsonOf(m *json.RawMessage) []byte {
	if m == nil {
		return nil
	}
	return *m
}

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// split reads a list; nil if the flag isn't given.
func split(s *string) []string {
	if s == nil {
		return nil
	}
	items := []string{}
	for item := range strings.SplitSeq(*s, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// Logging are the settings of the log.
func (f *Flags) Logging() logging.Config {
	return logging.Config{Program: "masterd", Severity: f.LoggingLevel, Dir: value(f.LogDir), Quiet: f.Quiet}
}
