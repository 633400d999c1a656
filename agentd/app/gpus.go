package app

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/gpu"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/mesos"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/spawn"
	"github.com/mesos-operator/mesos-operator/internal/flags"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// gpuFlags say which GPUs are the agent's.
type gpuFlags struct {
	devices  *string
	kind     string
	specDirs string
}

func (f *gpuFlags) define(s *flags.Set) {
	s.OptionalString(&f.devices, "nvidia_gpu_devices", "Numbers of the GPUs that are the agent's: 0,1. Default: all, if --resources names no gpus.")
	s.String(&f.kind, "gpu_cdi_kind", gpu.DefaultKind, "Vendor and class of the CDI devices that are GPUs.")
	s.String(&f.specDirs, "cdi_spec_dirs", strings.Join(gpu.DefaultSpecDirs, ","), "Directories of CDI specifications.")
}

// config is without the indices.
func (f *gpuFlags) config(root string) gpu.Config {
	return gpu.Config{SpecDirs: strings.Split(f.specDirs, ","), Kind: f.kind, Root: root}
}

// indices reads --nvidia_gpu_devices.
func (f *gpuFlags) indices() ([]uint, error) {
	if f.devices == nil {
		return nil, nil
	}
	var out []uint
	for field := range strings.SplitSeq(*f.devices, ",") {
		n, err := strconv.ParseUint(strings.TrimSpace(field), 10, 16)
		if err != nil {
			return nil, fmt.Errorf("--nvidia_gpu_devices=%s: %w", *f.devices, err)
		}
		if slices.Contains(out, uint(n)) {
			return nil, fmt.Errorf("--nvidia_gpu_devices=%s: %d is named twice", *f.devices, n)
		}
		out = append(out, uint(n))
	}
	return out, nil
}

// gpus are those that the agent has. Without the isolator it has none to give, and
// what --resources says of gpus is taken as it is.
func (f *Flags) gpus() ([]uint, error) {
	g := &f.isolators.gpus
	isolation, err := mesos.Isolators(f.Isolation)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(isolation, gpu.Name) {
		if g.devices != nil {
			return nil, fmt.Errorf("--nvidia_gpu_devices needs the isolator %s", gpu.Name)
		}
		return nil, nil
	}
	root := ""
	if f.MountNamespace != "" {
		proc, err := spawn.ProcOf(f.MountNamespace)
		if err != nil {
			return nil, err
		}
		root = proc + "/root"
	}
	inventory, err := gpu.Open(g.config(root))
	if err != nil {
		return nil, err
	}
	indices, err := g.indices()
	if err != nil {
		return nil, err
	}
	return owned(given(f.Resources), f.DefaultRole, indices, inventory.Indices())
}

// owned compares what --resources says with --nvidia_gpu_devices and with what is
// there: both flags are given, or none of them, or no gpus at all are wanted.
func owned(text, defaultRole string, chosen, there []uint) ([]uint, error) {
	named, err := resources.ParseProto(text, defaultRole)
	if err != nil {
		return nil, fmt.Errorf("--resources: %w", err)
	}
	var gpus resources.Scalar
	isNamed := false
	for _, r := range named {
		if r.GetName() == "gpus" {
			isNamed = true
			gpus += resources.ScalarOf(r.GetScalar().GetValue())
		}
	}
	switch {
	case !isNamed && chosen == nil:
		return there, nil
	case !isNamed:
		return nil, fmt.Errorf("--nvidia_gpu_devices needs gpus in --resources")
	case gpus%1000 != 0 || gpus < 0:
		return nil, fmt.Errorf("--resources: gpus come whole, not as %s", gpus)
	case gpus == 0 && chosen != nil:
		return nil, fmt.Errorf("--nvidia_gpu_devices names some while --resources has gpus:0")
	case gpus == 0:
		return nil, nil
	case chosen == nil:
		return nil, fmt.Errorf("gpus in --resources need --nvidia_gpu_devices")
	case len(chosen) != int(gpus/1000):
		return nil, fmt.Errorf("--resources has %s gpus, --nvidia_gpu_devices %d", gpus, len(chosen))
	}
	for _, n := range chosen {
		if !slices.Contains(there, n) {
			return nil, fmt.Errorf("--nvidia_gpu_devices: %w: %d; there are %v", gpu.ErrNoGPU, n, there)
		}
	}
	return chosen, nil
}
