package gpu

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"

	"tags.cncf.io/container-device-interface/pkg/cdi"
	"tags.cncf.io/container-device-interface/pkg/parser"
	cdispecs "tags.cncf.io/container-device-interface/specs-go"
)

// ErrNoGPU says that a GPU that was asked for isn't there.
var ErrNoGPU = errors.New("no such GPU")

// Inventory are the GPUs that the CDI specifications of the machine describe.
type Inventory struct {
	cache *cdi.Cache
	// names are the qualified names of whole GPUs, by their index.
	names map[uint]string
}

// Open reads the specifications. A directory that doesn't exist has none; a file
// that can't be used is an error only if it leaves us without any GPU.
func Open(cfg Config) (*Inventory, error) {
	if vendor, class := parser.ParseQualifier(cfg.Kind); vendor == "" || class == "" {
		return nil, fmt.Errorf("kind %q of GPUs: want vendor/class, for example %s", cfg.Kind, DefaultKind)
	}
	var dirs []string
	for _, dir := range cfg.SpecDirs {
		dirs = append(dirs, filepath.Join(cfg.Root, dir))
	}
	cache, err := cdi.NewCache(cdi.WithSpecDirs(dirs...), cdi.WithAutoRefresh(false))
	if err != nil {
		return nil, fmt.Errorf("reading CDI specifications: %w", err)
	}
	v := &Inventory{cache: cache, names: map[uint]string{}}
	for _, name := range cache.ListDevices() {
		kind, index, ok := whole(name)
		if !ok || kind != cfg.Kind {
			continue
		}
		v.names[index] = name
		v.reachable(cfg.Root, name)
	}
	if len(v.names) == 0 {
		var why []error
		for _, errs := range cache.GetErrors() {
			why = append(why, errs...)
		}
		return nil, fmt.Errorf("%w: no device of the kind %s that is named by a number in %v: %w",
			ErrNoGPU, cfg.Kind, cfg.SpecDirs, errors.Join(why...))
	}
	return v, nil
}

// whole says which GPU a device is. Specifications have the same ones under other
// names too (by UUID, "all"), and parts of GPUs; those with a number are the GPUs.
func whole(qualified string) (kind string, index uint, ok bool) {
	vendor, class, name, err := parser.ParseQualifiedName(qualified)
	if err != nil {
		return "", 0, false
	}
	n, err := strconv.ParseUint(name, 10, 16)
	return vendor + "/" + class, uint(n), err == nil
}

// reachable has device nodes looked up among the node's files.
func (v *Inventory) reachable(root, name string) {
	if root == "" {
		return
	}
	device := v.cache.GetDevice(name)
	for _, edits := range []cdispecs.ContainerEdits{device.ContainerEdits, device.GetSpec().ContainerEdits} {
		for _, n := range edits.DeviceNodes {
			path := n.HostPath
			if path == "" {
				path = n.Path
			}
			if rel, err := filepath.Rel(root, path); err != nil || !filepath.IsLocal(rel) {
				n.HostPath = filepath.Join(root, path)
			}
		}
	}
}

// Count is how many GPUs there are.
func (v *Inventory) Count() int { return len(v.names) }

// Indices are the numbers of all GPUs, in order.
func (v *Inventory) Indices() []uint {
	var all []uint
	for index := range v.names {
		all = append(all, index)
	}
	slices.Sort(all)
	return all
}

// Names are the qualified names of some GPUs. ErrNoGPU if there is none of a number.
func (v *Inventory) Names(indices []uint) ([]string, error) {
	var out []string
	for _, index := range indices {
		name, ok := v.names[index]
		if !ok {
			return nil, fmt.Errorf("%w: %d; there are %v", ErrNoGPU, index, v.Indices())
		}
		out = append(out, name)
	}
	return out, nil
}
