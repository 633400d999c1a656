package isolator

import (
	"math"

	"github.com/mesos-operator/mesos-operator/internal/resources"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// Megabyte is the unit of "mem" and "disk".
const Megabyte = 1 << 20

// Demand is what a container may use of cpus and memory.
type Demand struct {
	// CPUs are requested cores.
	CPUs float64
	// RevocableCPUs says that some of them are revocable.
	RevocableCPUs bool
	// Mem is requested memory in bytes.
	Mem uint64
	// CPULimit and MemLimit are nil without a limit of their own. +Inf is no
	// limit at all. MemLimit is in MB.
	CPULimit, MemLimit *float64
	// Resources are the requests that all this was summed up from.
	Resources []*mesos.Resource
}

// DemandOf sums up resources.
func DemandOf(requests []*mesos.Resource, limits map[string]*mesos.Value_Scalar) Demand {
	d := Demand{Resources: requests}
	var cpus, mem resources.Scalar
	for _, r := range requests {
		amount := resources.ScalarOf(r.GetScalar().GetValue())
		switch r.GetName() {
		case "cpus":
			cpus += amount
			d.RevocableCPUs = d.RevocableCPUs || r.GetRevocable() != nil
		case "mem":
			mem += amount
		}
	}
	d.CPUs = cpus.Float()
	d.Mem = Bytes(mem.Float())
	d.CPULimit, d.MemLimit = limit(limits, "cpus"), limit(limits, "mem")
	return d
}

func limit(limits map[string]*mesos.Value_Scalar, name string) *float64 {
	if l := limits[name]; l != nil {
		return new(l.GetValue())
	}
	return nil
}

// Bytes converts megabytes; negative amounts are none, huge ones saturate
// below the sign bit, which the kernel's interfaces need.
func Bytes(megabytes float64) uint64 {
	b := megabytes * Megabyte
	switch {
	case math.IsNaN(b) || b < 0:
		return 0
	case b >= math.MaxInt64:
		return math.MaxInt64
	}
	return uint64(b)
}
