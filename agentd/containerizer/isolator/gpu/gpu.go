// Package gpu is the isolator "gpu/nvidia": a container has the GPUs that it has
// resources of, each alone and as a whole, and no other.
//
// What a GPU is, the machine's CDI specifications say (the Container Device Interface,
// which nvidia-ctk and other vendors' tools write): device nodes, libraries,
// variables and hooks. Hence it serves any vendor's; the name is Mesos's. The isolator
// cgroups/devices forbids what isn't given.
//
// A container without an image has the node's files, the vendor's libraries among
// them; only what is named differently on the node is mounted. Nested
// containers share what the outermost one has, as in Mesos.
package gpu

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// Name is the isolator's name.
const Name = "gpu/nvidia"

// DefaultKind is how NVIDIA's specifications call GPUs.
const DefaultKind = "nvidia.com/gpu"

// DefaultSpecDirs are where CDI has specifications: those that are written once, and
// those of this boot.
var DefaultSpecDirs = []string{"/etc/cdi", "/var/run/cdi"}

// Config are the agent's flags.
type Config struct {
	// SpecDirs have the CDI specifications (--cdi_spec_dirs). Later ones win.
	SpecDirs []string
	// Kind is "vendor/class" of the devices that are GPUs (--gpu_cdi_kind).
	Kind string
	// Indices are the GPUs that are the agent's (--nvidia_gpu_devices).
	Indices []uint
	// Dir is where it is kept who has which GPU. It should not outlive the boot of the
	// machine.
	Dir string
	// Root is a prefix by which the agent reaches the node's files.
	Root string
	// Base are the rules about devices for every container.
	Base []specs.LinuxDeviceCgroup
}

// Isolator implements isolator.Isolator.
type Isolator struct {
	isolator.Nop
	cfg       Config
	inventory *Inventory
	pool      *pool
}

// New returns the isolator. Errors: ErrNoGPU, others.
func New(cfg Config) (*Isolator, error) {
	inventory, err := Open(cfg)
	if err != nil {
		return nil, fmt.Errorf("isolator %s: %w", Name, err)
	}
	names, err := inventory.Names(cfg.Indices)
	if err != nil {
		return nil, fmt.Errorf("isolator %s: %w", Name, err)
	}
	p, err := newPool(cfg.Dir, names)
	if err != nil {
		return nil, fmt.Errorf("isolator %s: %w", Name, err)
	}
	return &Isolator{cfg: cfg, inventory: inventory, pool: p}, nil
}

// Name implements isolator.Isolator.
func (*Isolator) Name() string { return Name }

// Prepare implements isolator.Isolator.
func (i *Isolator) Prepare(c *isolator.Container, d isolator.Demand, spec *specs.Spec) error {
	if c.ID.Parent() != "" {
		return i.inject(c, spec, i.pool.of(c.ID.Root()))
	}
	n, err := wanted(d.Resources)
	if err != nil {
		return err
	}
	names, _, err := i.pool.resize(c.ID, n)
	if err != nil {
		return err
	}
	return i.inject(c, spec, names)
}

// wanted counts GPUs, which are whole.
func wanted(rs []*mesos.Resource) (int, error) {
	var gpus resources.Scalar
	for _, r := range rs {
		if r.GetName() == "gpus" {
			gpus += resources.ScalarOf(r.GetScalar().GetValue())
		}
	}
	if gpus < 0 || gpus%1000 != 0 {
		return 0, fmt.Errorf("the resource gpus comes whole, not as %s", gpus)
	}
	return int(gpus / 1000), nil
}

func (i *Isolator) inject(c *isolator.Container, spec *specs.Spec, names []string) error {
	if len(names) == 0 {
		return nil
	}
	before := slices.Clone(spec.Mounts)
	if missing, err := i.inventory.cache.InjectDevices(spec, names...); err != nil {
		return fmt.Errorf("injecting %v, of which %v are unknown: %w", names, missing, err)
	}
	if spec.Root != nil {
		return nil
	}
	var err error
	spec.Mounts, err = i.onNode(before, spec.Mounts)
	spec.Linux.Devices = nil // the node's /dev has them
	return err
}

// onNode leaves out mounts of what is in its place, and refuses those for which
// there is no place: it would have to be made on the node.
func (i *Isolator) onNode(before, after []specs.Mount) ([]specs.Mount, error) {
	out := before
	for _, m := range after {
		ours := slices.ContainsFunc(before, func(b specs.Mount) bool { return b.Destination == m.Destination && b.Source == m.Source })
		if ours || filepath.Clean(m.Source) == filepath.Clean(m.Destination) {
			continue
		}
		if _, err := os.Stat(filepath.Join(i.cfg.Root, m.Destination)); err != nil {
			return nil, fmt.Errorf("mounting %s without an image: %w", m.Source, err)
		}
		out = append(out, m)
	}
	return out, nil
}

// Attach implements isolator.Isolator.
func (i *Isolator) Attach(c *isolator.Container, again bool) error {
	if !again || c.ID.Parent() != "" {
		return nil
	}
	return i.pool.recall(c.ID)
}

// Update implements isolator.Isolator. What a container gets while it runs, it may
// use: device nodes and libraries are for what starts in it from then on.
func (i *Isolator) Update(c *isolator.Container, d isolator.Demand, r *specs.LinuxResources) error {
	if c.ID.Parent() != "" {
		return nil
	}
	n, err := wanted(d.Resources)
	if err != nil {
		return err
	}
	names, changed, err := i.pool.resize(c.ID, n)
	if err != nil || !changed {
		return err
	}
	rules, err := i.rules(names)
	if err != nil {
		return err
	}
	r.Devices = append(slices.Clone(i.cfg.Base), rules...)
	return nil
}

// rules are those that an injection adds.
func (i *Isolator) rules(names []string) ([]specs.LinuxDeviceCgroup, error) {
	if len(names) == 0 {
		return nil, nil
	}
	spec := &specs.Spec{Linux: &specs.Linux{Resources: &specs.LinuxResources{}}}
	if missing, err := i.inventory.cache.InjectDevices(spec, names...); err != nil {
		return nil, fmt.Errorf("looking up %v, of which %v are unknown: %w", names, missing, err)
	}
	return spec.Linux.Resources.Devices, nil
}

// Assigned are the qualified names of a container's GPUs.
func (i *Isolator) Assigned(id containerizer.ID) []string { return slices.Clone(i.pool.of(id)) }

// Cleanup implements isolator.Isolator.
func (i *Isolator) Cleanup(c *isolator.Container) error {
	if c.ID.Parent() != "" {
		return nil
	}
	return i.pool.release(c.ID)
}
