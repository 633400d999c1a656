// Package backend makes root file systems of layers. The provisioner is the only caller.
//
// # Mounts
//
// A backend mounts nothing itself: it prepares directories, and says what is to be mounted.
// The container's launch stage does that in a mount namespace of its own, so that no mount is ever
// seen by anybody else, and none is left when the container has ended, however the
// agent did. What is left are directories.
//
// # The three
//
//	overlay   the kernel's overlay file system: layers are shared, changes are the container's
//	bind      one layer, read-only
//	copy      a copy of all layers; works everywhere
//
// Names and conditions are Mesos's; its fourth, aufs, no kernel of today has.
package backend

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/launch"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/provisioner/layer"
)

// The names of backends (--image_provisioner_backend).
const (
	Overlay = "overlay"
	Bind    = "bind"
	Copy    = "copy"
)

// maxLayers is the kernel's bound for an overlay (OVL_MAX_STACK).
const maxLayers = 500

// ErrLayers says that a backend can't make a root of so many layers.
var ErrLayers = errors.New("unsuitable number of layers")

// Backend makes root file systems.
type Backend interface {
	// Name is the backend's name.
	Name() string
	// Form is how stores are to unpack layers for it.
	Form() layer.Form
	// ReadOnly says that containers can't change what they get.
	ReadOnly() bool
	// Provision prepares a root file system of layers, the base first, at a path that
	// doesn't exist yet, and returns what is to be mounted for it. dir is a directory
	// of the backend's own for one container, in which all is deleted with that.
	Provision(ctx context.Context, layers []string, rootfs, dir string) ([]launch.Mount, error)
	// Changes are the directories that keep what a container changes in the root file
	// system, with the arguments of Provision. A backend without such has none: what it
	// makes is changed in place, or not at all.
	Changes(rootfs, dir string) []string
}

// New returns the backend of a name.
func New(name string) (Backend, error) {
	switch name {
	case Overlay:
		return overlay{}, nil
	case Bind:
		return bind{}, nil
	case Copy:
		return copying{}, nil
	}
	return nil, fmt.Errorf("image provisioner backend %q: want %s, %s or %s", name, Overlay, Bind, Copy)
}

type overlay struct{}

func (overlay) Name() string     { return Overlay }
func (overlay) Form() layer.Form { return layer.Overlay }
func (overlay) ReadOnly() bool   { return false }

// Provision implements Backend. The options of the mount have to fit into a page, so layers
// get names of one or two characters, as links.
func (overlay) Provision(_ context.Context, layers []string, rootfs, dir string) ([]launch.Mount, error) {
	if len(layers) == 0 || len(layers) > maxLayers {
		return nil, fmt.Errorf("%w: %d, want 1 to %d", ErrLayers, len(layers), maxLayers)
	}
	links := filepath.Join(scratch(rootfs, dir), "links")
	for _, d := range append(overlay{}.Changes(rootfs, dir), rootfs, links) {
		if err := makeDir(d); err != nil {
			return nil, err
		}
	}
	options := ""
	for i, l := range layers {
		name := strconv.Itoa(i)
		if err := os.Symlink(l, filepath.Join(links, name)); err != nil {
			return nil, fmt.Errorf("naming a layer: %w", err)
		}
		if i > 0 {
			name += ":"
		}
		options = name + options // the topmost comes first
	}
	return []launch.Mount{{
		Dir: links, Type: "overlay", Source: "overlay", Target: rootfs,
		Data: "lowerdir=" + options + ",upperdir=../upperdir,workdir=../workdir",
	}}, nil
}

// Changes implements Backend. The kernel moves files from one to the other, so that they
// have to be of one project where the file system has projects.
func (overlay) Changes(rootfs, dir string) []string {
	at := scratch(rootfs, dir)
	return []string{filepath.Join(at, "upperdir"), filepath.Join(at, "workdir")}
}

// scratch is what an overlay has beside its layers.
func scratch(rootfs, dir string) string { return filepath.Join(dir, "scratch", filepath.Base(rootfs)) }

type bind struct{}

func (bind) Name() string     { return Bind }
func (bind) Form() layer.Form { return layer.Plain }
func (bind) ReadOnly() bool   { return true }

// Changes implements Backend.
func (bind) Changes(_, _ string) []string { return nil }

// Provision implements Backend.
func (bind) Provision(_ context.Context, layers []string, rootfs, _ string) ([]launch.Mount, error) {
	if len(layers) != 1 {
		return nil, fmt.Errorf("%w: %d, the backend %s takes one", ErrLayers, len(layers), Bind)
	}
	if err := makeDir(rootfs); err != nil {
		return nil, err
	}
	return []launch.Mount{{Source: layers[0], Target: rootfs, ReadOnly: true}}, nil
}

type copying struct{}

func (copying) Name() string     { return Copy }
func (copying) Form() layer.Form { return layer.Plain }
func (copying) ReadOnly() bool   { return false }

// Changes implements Backend.
func (copying) Changes(_, _ string) []string { return nil }

// Provision implements Backend. The copy is bound on itself: a runtime wants a mount as root.
func (copying) Provision(ctx context.Context, layers []string, rootfs, _ string) ([]launch.Mount, error) {
	if len(layers) == 0 {
		return nil, fmt.Errorf("%w: none", ErrLayers)
	}
	if err := makeDir(rootfs); err != nil {
		return nil, err
	}
	for _, l := range layers {
		if err := layer.Copy(ctx, l, rootfs, layer.DefaultLimits()); err != nil {
			return nil, err
		}
	}
	return []launch.Mount{{Source: rootfs, Target: rootfs}}, nil
}

// makeDir makes a directory as the root of a file system is, whatever the umask.
func makeDir(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("making a root file system: %w", err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return fmt.Errorf("making a root file system: %w", err)
	}
	return nil
}
