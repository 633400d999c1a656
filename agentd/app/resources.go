package app

import (
	"fmt"
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/flags"
	"github.com/mesos-operator/mesos-operator/internal/metrics/host"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// Defaults and margins of Mesos 1.11 (src/slave/constants.hpp, containerizer.cpp).
const (
	defaultPorts = "[31000-32000]"
	defaultMem   = flags.Gigabyte
	defaultDisk  = 10 * flags.Gigabyte
	memLeft      = flags.Gigabyte
	diskLeft     = 5 * flags.Gigabyte
)

// machine is what auto-detection found.
type machine struct {
	cpus      int
	mem, disk flags.Bytes // 0 if unknown
	gpus      int         // that an isolator can give away
}

// detectMachine looks at the machine, and at the disk that the work directory is on.
func (f *Flags) detectMachine() (machine, error) {
	gpus, err := f.gpus()
	m := machine{cpus: runtime.NumCPU(), mem: flags.Bytes(host.Stats()["mem_total_bytes"]), gpus: len(gpus)}
	var s unix.Statfs_t
	if err := unix.Statfs(f.WorkDir, &s); err == nil {
		m.disk = flags.Bytes(s.Blocks) * flags.Bytes(s.Bsize)
	}
	return m, err
}

// offers are the resources of the agent.
func (f *Flags) offers() (resources.Resources, error) {
	m, err := f.detectMachine()
	if err != nil {
		return resources.Resources{}, err
	}
	return offered(given(f.Resources), f.DefaultRole, m)
}

// offered are the resources of the flag and, for what the flag doesn't name, those
// of the machine without what the system needs itself. "cpus:0" names cpus.
func offered(text, defaultRole string, m machine) (resources.Resources, error) {
	named, err := resources.ParseProto(text, defaultRole)
	if err != nil {
		return resources.Resources{}, fmt.Errorf("--resources: %w", err)
	}
	has := map[string]bool{}
	for _, r := range named {
		has[r.GetName()] = true
	}
	all, err := resources.New(named)
	if err != nil {
		return resources.Resources{}, fmt.Errorf("--resources: %w", err)
	}
	for name, value := range map[string]string{
		"cpus":  strconv.Itoa(m.cpus),
		"mem":   megabytes(spare(m.mem, defaultMem, 2*flags.Gigabyte, memLeft)),
		"disk":  megabytes(spare(m.disk, defaultDisk, 10*flags.Gigabyte, diskLeft)),
		"ports": defaultPorts,
		"gpus":  strconv.Itoa(m.gpus),
	} {
		if has[name] || name == "gpus" && m.gpus == 0 {
			continue
		}
		found, err := resources.Parse(name+":"+value, defaultRole)
		if err != nil {
			return resources.Resources{}, fmt.Errorf("detecting %s: %w", name, err)
		}
		all = all.Add(found)
	}
	return inOrder(all), nil
}

// spare is what can be offered of a total: all but what is left, or half of a
// total that is small.
func spare(total, unknown, small, left flags.Bytes) flags.Bytes {
	switch {
	case total == 0:
		return unknown
	case total < small:
		return total / 2
	}
	return total - left
}

func megabytes(b flags.Bytes) string { return strconv.FormatUint(uint64(b/flags.Megabyte), 10) }

// inOrder puts the usual resources first, so that a description is the same at
// each start.
func inOrder(all resources.Resources) resources.Resources {
	var out resources.Resources
	for _, name := range append([]string{"cpus", "gpus", "mem", "disk", "ports"}, all.Names()...) {
		if out.Named(name).IsEmpty() {
			out = out.Add(all.Named(name))
		}
	}
	return out
}

// checkDisks makes sure that disks of their own are there.
func checkDisks(rs []*mesos.Resource) error {
	for _, r := range rs {
		s := r.GetDisk().GetSource()
		switch s.GetType() {
		case mesos.Resource_DiskInfo_Source_PATH, mesos.Resource_DiskInfo_Source_UNKNOWN:
		case mesos.Resource_DiskInfo_Source_MOUNT:
			if _, err := os.Stat(s.GetMount().GetRoot()); err != nil {
				return fmt.Errorf("--resources: disk: %w", err)
			}
		default:
			return fmt.Errorf("--resources: disk of type %s is not supported", s.GetType())
		}
	}
	return nil
}
