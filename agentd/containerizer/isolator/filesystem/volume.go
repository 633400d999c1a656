package filesystem

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	"github.com/mesos-operator/mesos-operator/agentd/paths"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// volume is a persistent volume as one container sees it.
type volume struct {
	// path is where it is on the node, name where the container wants it.
	path, name       string
	readOnly, shared bool
	// provided says that it is a resource provider's.
	provided bool
}

// volumesOf finds the persistent volumes among resources, by their paths. Those of a
// nested container are in the sandbox of the outermost one, which has all resources;
// who launches it names them by volumes of type sandbox path.
func volumesOf(workDir string, c *isolator.Container, rs []*mesos.Resource) (map[string]volume, error) {
	var out map[string]volume
	if c.ID.Parent() != "" {
		return nil, nil
	}
	for _, r := range rs {
		if r.GetDisk().GetPersistence() == nil || r.GetDisk().GetVolume() == nil {
			continue
		}
		path, err := paths.PersistentVolume(workDir, r)
		if err != nil {
			return nil, err
		}
		if out == nil {
			out = map[string]volume{}
		}
		out[path] = volume{
			path:     path,
			name:     filepath.Clean(r.GetDisk().GetVolume().GetContainerPath()),
			readOnly: r.GetDisk().GetVolume().GetMode() == mesos.Volume_RO,
			shared:   r.GetShared() != nil,
			provided: r.GetProviderId() != nil,
		}
	}
	return out, nil
}

// link makes the name. One that leads to the volume already is as good.
func (v volume) link(sandbox *os.Root) error {
	if filepath.IsAbs(v.name) {
		return nil
	}
	if err := sandbox.MkdirAll(filepath.Dir(v.name), 0o755); err != nil {
		return fmt.Errorf("making the directory of volume %s: %w", v.name, err)
	}
	err := sandbox.Symlink(v.path, v.name)
	if errors.Is(err, fs.ErrExist) {
		if target, _ := sandbox.Readlink(v.name); target == v.path {
			return nil
		}
	}
	if err != nil {
		return fmt.Errorf("linking persistent volume %s: %w", v.path, err)
	}
	return nil
}

// unlink removes the name, unless the container put something else there.
func (v volume) unlink(sandbox *os.Root) error {
	if target, err := sandbox.Readlink(v.name); err != nil || target != v.path {
		return nil //nolint:nilerr // nothing of ours
	}
	if err := sandbox.Remove(v.name); err != nil {
		return fmt.Errorf("unlinking persistent volume %s: %w", v.path, err)
	}
	return nil
}

// mount is what a link can't do, if anything. A read-only volume is mounted over
// itself, so that it is read-only under every name.
func (v volume) mount() (specs.Mount, bool) {
	m := specs.Mount{Destination: v.path, Source: v.path, Type: "bind", Options: []string{"rbind", "rslave"}}
	if filepath.IsAbs(v.name) {
		m.Destination = v.name
	}
	if v.readOnly {
		m.Options = append(m.Options, "ro")
	}
	return m, v.readOnly || filepath.IsAbs(v.name)
}

func uid(info fs.FileInfo) int { return int(info.Sys().(*syscall.Stat_t).Uid) }

func gid(info fs.FileInfo) int { return int(info.Sys().(*syscall.Stat_t).Gid) }
