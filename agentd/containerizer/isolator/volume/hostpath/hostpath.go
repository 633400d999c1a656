// Package hostpath is the isolator "volume/host_path": directories and files of
// the node appear in a container.
package hostpath

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/moby/sys/mountinfo"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/volume"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// Name is the isolator's name.
const Name = "volume/host_path"

// Config are the agent's flags.
type Config struct {
	// Root is a prefix by which the agent reaches the node's files.
	Root string
	// Create are directories below which a path that doesn't exist is made
	// (--host_path_volume_force_creation).
	Create []string
}

// Isolator implements isolator.Isolator.
type Isolator struct {
	isolator.Nop
	cfg Config
}

// New returns the isolator.
func New(cfg Config) *Isolator { return &Isolator{cfg: cfg} }

// Name implements isolator.Isolator.
func (*Isolator) Name() string { return Name }

// Prepare implements isolator.Isolator.
func (i *Isolator) Prepare(c *isolator.Container, _ isolator.Demand, spec *specs.Spec) error {
	for _, v := range c.Config.Container.GetVolumes() {
		if volume.KindOf(v) != volume.HostPath {
			continue
		}
		if c.Config.Class == containerizer.ClassDebug {
			return errors.New("a debug container has the volumes of its parent")
		}
		if err := i.mount(c, v, spec); err != nil {
			return err
		}
	}
	return nil
}

func (i *Isolator) mount(c *isolator.Container, v *mesos.Volume, spec *specs.Spec) error {
	path := v.GetHostPath()
	if path == "" {
		path = v.GetSource().GetHostPath().GetPath()
	}
	if !filepath.IsAbs(path) {
		return fmt.Errorf("host path %q is not absolute", path)
	}
	path = filepath.Clean(path)
	isDir, err := i.exists(path)
	if err != nil {
		return err
	}
	destination, err := volume.MountPoint(c, i.cfg.Root, v.GetContainerPath(), isDir)
	if err != nil {
		return err
	}
	if c.Rootfs == nil && destination == path && v.GetMode() != mesos.Volume_RO {
		return nil // it is there already
	}
	m := volume.Bind(v, path, destination)
	if v.GetSource().GetHostPath().GetMountPropagation().GetMode() == mesos.MountPropagation_BIDIRECTIONAL {
		if err := i.shared(path); err != nil {
			return err
		}
		m.Options[1] = "rshared"
		spec.Linux.RootfsPropagation = "rshared"
	}
	spec.Mounts = append(spec.Mounts, m)
	return nil
}

// exists looks at a path of the node, and makes it if it may.
func (i *Isolator) exists(path string) (isDir bool, err error) {
	info, err := os.Stat(filepath.Join(i.cfg.Root, path))
	if err == nil {
		return info.IsDir(), nil
	}
	if !errors.Is(err, fs.ErrNotExist) || !i.mayCreate(path) {
		return false, fmt.Errorf("host path %s: %w", path, err)
	}
	if err := os.MkdirAll(filepath.Join(i.cfg.Root, path), 0o755); err != nil {
		return false, fmt.Errorf("making host path %s: %w", path, err)
	}
	return true, nil
}

func (i *Isolator) mayCreate(path string) bool {
	for _, dir := range i.cfg.Create {
		rel, err := filepath.Rel(dir, path)
		if err == nil && rel != "." && filepath.IsLocal(rel) {
			return true
		}
	}
	return false
}

// shared makes sure that what is mounted below a path appears elsewhere: only
// then there are two directions.
func (i *Isolator) shared(path string) error {
	mounts, err := mountinfo.GetMounts(mountinfo.ParentsFilter(filepath.Join(i.cfg.Root, path)))
	if err != nil {
		return fmt.Errorf("looking at the mounts above %s: %w", path, err)
	}
	var nearest *mountinfo.Info
	for _, m := range mounts {
		if nearest == nil || len(m.Mountpoint) >= len(nearest.Mountpoint) {
			nearest = m
		}
	}
	if nearest == nil || !strings.Contains(nearest.Optional, "shared:") {
		return fmt.Errorf("host path %s is not on a shared mount, which propagation in both directions needs", path)
	}
	return nil
}
