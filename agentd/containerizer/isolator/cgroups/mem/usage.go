package mem

import (
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/cgroups"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// Usage implements isolator.Isolator.
func (i *Isolator) Usage(c *isolator.Container, s *mesos.ResourceStatistics) error {
	read := usageV1
	if c.Group.Tree().Version() == cgroups.V2 {
		read = usageV2
	}
	if err := read(c.Group, i.cfg.LimitSwap, s); err != nil {
		return err
	}
	if w := i.watch(c); w != nil {
		w.pressure(s)
	}
	return nil
}

// usageV1 counts the groups below as well: memory.stat has totals for that.
func usageV1(g *cgroups.Group, swap bool, s *mesos.ResourceStatistics) error {
	stat, err := g.ReadStat(controller, "memory.stat")
	if err != nil {
		return err
	}
	total, err := g.ReadUint(controller, "memory.usage_in_bytes")
	if err != nil {
		return err
	}
	s.MemTotalBytes = &total
	s.MemFileBytes, s.MemCacheBytes = stat.Get("total_cache"), stat.Get("total_cache")
	s.MemAnonBytes, s.MemRssBytes = stat.Get("total_rss"), stat.Get("total_rss")
	s.MemMappedFileBytes = stat.Get("total_mapped_file")
	s.MemSwapBytes = stat.Get("total_swap")
	s.MemUnevictableBytes = stat.Get("total_unevictable")
	s.MemKmemUsageBytes = optional(g, "memory.kmem.usage_in_bytes")
	s.MemKmemTcpUsageBytes = optional(g, "memory.kmem.tcp.usage_in_bytes")
	if swap {
		s.MemTotalMemswBytes = optional(g, "memory.memsw.usage_in_bytes")
	}
	return nil
}

func usageV2(g *cgroups.Group, _ bool, s *mesos.ResourceStatistics) error {
	stat, err := g.ReadStat(controller, "memory.stat")
	if err != nil {
		return err
	}
	total, err := g.ReadUint(controller, "memory.current")
	if err != nil {
		return err
	}
	s.MemTotalBytes = &total
	s.MemFileBytes, s.MemCacheBytes = stat.Get("file"), stat.Get("file")
	s.MemAnonBytes, s.MemRssBytes = stat.Get("anon"), stat.Get("anon")
	s.MemMappedFileBytes = stat.Get("file_mapped")
	s.MemUnevictableBytes = stat.Get("unevictable")
	s.MemKmemUsageBytes = stat.Get("kernel")
	s.MemKmemTcpUsageBytes = stat.Get("sock")
	s.MemSwapBytes = optional(g, "memory.swap.current")
	return nil
}

// optional reads what kernels may be built without.
func optional(g *cgroups.Group, file string) *uint64 {
	if v, err := g.ReadUint(controller, file); err == nil {
		return &v
	}
	return nil
}
