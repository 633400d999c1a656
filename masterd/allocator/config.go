package allocator

import (
	"fmt"
	"math"
	"strings"
	"time"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// The sorters that --role_sorter and --framework_sorter name.
const (
	SorterDRF    = "drf"
	SorterRandom = "random"
)

// Config says how to allocate. The flags are those of mesos-master.
type Config struct {
	// Interval is the time between allocations (--allocation_interval). A filter lasts at least as
	// long. Default 1 s.
	Interval time.Duration
	// RoleSorter and FrameworkSorter order roles, and frameworks within a role: SorterDRF (the
	// default) by dominant share, SorterRandom by lot, with weights as chances.
	RoleSorter, FrameworkSorter string
	// MinAllocatable are alternatives (--min_allocatable_resources): a proposal must hold at least one
	// of them. None means anything goes. DefaultConfig has Mesos's default.
	MinAllocatable []resources.Quantities
	// FairSharingExcluded are resource names that don't count for shares
	// (--fair_sharing_excluded_resource_names).
	FairSharingExcluded []string
	// FilterGPUs keeps agents with gpus from frameworks without GPU_RESOURCES
	// (--filter_gpu_resources). DefaultConfig sets it.
	FilterGPUs bool
	// Domain is the master's. Agents in other regions go to REGION_AWARE frameworks only.
	Domain *mesos.DomainInfo
	// RecoveryTimeout is the longest hold-back after Start. Default 10 min, as in Mesos.
	RecoveryTimeout time.Duration
	// RecoveryFactor is the part of the expected agents that ends the hold-back. Default 0.8, as in
	// Mesos.
	RecoveryFactor float64
	// Seed starts the shuffling of agents and the random sorters. The same seed and the same calls
	// give the same proposals.
	Seed uint64
}

// DefaultConfig has the defaults of mesos-master's flags.
func DefaultConfig() Config {
	return Config{
		Interval:   time.Second,
		RoleSorter: SorterDRF, FrameworkSorter: SorterDRF,
		MinAllocatable: []resources.Quantities{
			{{Name: "cpus", Value: 10}},
			{{Name: "mem", Value: 32_000}},
		},
		FilterGPUs:      true,
		RecoveryTimeout: 10 * time.Minute,
		RecoveryFactor:  0.8,
	}
}

// Validate fills defaults in and reports what makes no sense.
func (c *Config) Validate() error {
	def := DefaultConfig()
	for _, s := range []*string{&c.RoleSorter, &c.FrameworkSorter} {
		if *s == "" {
			*s = SorterDRF
		}
		if *s != SorterDRF && *s != SorterRandom {
			return fmt.Errorf("sorter '%s' is neither '%s' nor '%s'", *s, SorterDRF, SorterRandom)
		}
	}
	if c.Interval == 0 {
		c.Interval = def.Interval
	}
	if c.RecoveryTimeout == 0 {
		c.RecoveryTimeout = def.RecoveryTimeout
	}
	if c.RecoveryFactor == 0 {
		c.RecoveryFactor = def.RecoveryFactor
	}
	if c.Interval < 0 || c.RecoveryTimeout < 0 {
		return fmt.Errorf("negative duration: interval %v, recovery timeout %v", c.Interval, c.RecoveryTimeout)
	}
	if !(c.RecoveryFactor > 0 && c.RecoveryFactor <= 1) || math.IsNaN(c.RecoveryFactor) {
		return fmt.Errorf("recovery factor %v is not above 0 and at most 1", c.RecoveryFactor)
	}
	return nil
}

// ParseMinAllocatable reads the value of --min_allocatable_resources: "cpus:0.01|mem:32", quantities
// separated by ';' and alternatives by '|'.
func ParseMinAllocatable(text string) ([]resources.Quantities, error) {
	var out []resources.Quantities
	for alternative := range strings.SplitSeq(text, "|") {
		if strings.TrimSpace(alternative) == "" {
			continue
		}
		q, err := resources.ParseQuantities(alternative)
		if err != nil {
			return nil, fmt.Errorf("minimal allocatable resources: %w", err)
		}
		out = append(out, q)
	}
	return out, nil
}
