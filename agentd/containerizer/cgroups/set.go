package cgroups

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Set sets the limits that are given and leaves the others. Of the v1 limits
// it knows those of CPU, memory and devices that isolators set; on v2 it writes
// Unified, and filters devices.
func (g *Group) Set(r *specs.LinuxResources) error {
	if r == nil {
		return nil
	}
	if g.tree.version == V2 {
		for _, file := range slices.Sorted(maps.Keys(r.Unified)) {
			controller, _, _ := strings.Cut(file, ".")
			if err := g.Write(controller, file, r.Unified[file]); err != nil {
				return err
			}
		}
		return g.setDevices(r.Devices)
	}
	if err := g.setCPU(r.CPU); err != nil {
		return err
	}
	if err := g.setMemory(r.Memory); err != nil {
		return err
	}
	return g.setDevices(r.Devices)
}

// setCPU writes the period first: the quota is relative to it.
func (g *Group) setCPU(c *specs.LinuxCPU) error {
	if c == nil {
		return nil
	}
	return g.writeAll("cpu", []setting{
		{"cpu.shares", unsigned(c.Shares)},
		{"cpu.cfs_period_us", unsigned(c.Period)},
		{"cpu.cfs_quota_us", signed(c.Quota)},
	})
}

// setMemory orders the two limits so that memory alone is never allowed to be
// more than memory and swap together, which the kernel refuses.
func (g *Group) setMemory(m *specs.LinuxMemory) error {
	if m == nil {
		return nil
	}
	limits := []setting{
		{"memory.limit_in_bytes", signed(m.Limit)},
		{"memory.memsw.limit_in_bytes", signed(m.Swap)},
	}
	if m.Swap != nil && m.Limit != nil {
		now, err := g.ReadUint("memory", "memory.memsw.limit_in_bytes")
		if err != nil {
			return err
		}
		if *m.Limit < 0 || uint64(*m.Limit) > now {
			slices.Reverse(limits)
		}
	}
	return g.writeAll("memory", append(limits, setting{"memory.soft_limit_in_bytes", signed(m.Reservation)}))
}

// setting is a file with its value; without one it is left alone.
type setting struct{ file, value string }

func (g *Group) writeAll(controller string, settings []setting) error {
	for _, s := range settings {
		if s.value == "" {
			continue
		}
		if err := g.Write(controller, s.file, s.value); err != nil {
			return err
		}
	}
	return nil
}

func unsigned(v *uint64) string {
	if v == nil {
		return ""
	}
	return strconv.FormatUint(*v, 10)
}

func signed(v *int64) string {
	if v == nil {
		return ""
	}
	return strconv.FormatInt(*v, 10)
}
