// Package volume is what the isolators of volumes have in common: which kind a
// volume is, and where in a container it is to appear. The isolators are the
// packages below it.
package volume

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// Kind says which isolator mounts a volume.
type Kind int

// The kinds of volumes.
const (
	// Unknown is a volume without a source, or with several.
	Unknown Kind = iota
	// HostPath is a directory or file of the node.
	HostPath
	// SandboxPath is a directory in the container's sandbox, or its parent's.
	SandboxPath
	// Secret is a file with a secret.
	Secret
	// Image is the contents of an image.
	Image
	// Docker is made by a Docker volume driver.
	Docker
	// CSI is made by a CSI plugin.
	CSI
)

// Isolator is the name of the isolator for a kind, "" for Unknown.
func (k Kind) Isolator() string {
	names := [...]string{"", "volume/host_path", "volume/sandbox_path", "volume/secret", "volume/image", "docker/volume", "volume/csi"}
	return names[k]
}

// KindOf tells volumes apart. Before they had sources, they had a host_path,
// which meant the sandbox if it was relative.
func KindOf(v *mesos.Volume) Kind {
	switch {
	case v.Source != nil && (v.HostPath != nil || v.Image != nil), v.HostPath != nil && v.Image != nil:
		return Unknown
	case v.HostPath != nil && filepath.IsAbs(v.GetHostPath()):
		return HostPath
	case v.HostPath != nil:
		return SandboxPath
	case v.Image != nil:
		return Image
	}
	switch v.GetSource().GetType() {
	case mesos.Volume_Source_HOST_PATH:
		return HostPath
	case mesos.Volume_Source_SANDBOX_PATH:
		return SandboxPath
	case mesos.Volume_Source_SECRET:
		return Secret
	case mesos.Volume_Source_DOCKER_VOLUME:
		return Docker
	case mesos.Volume_Source_CSI_VOLUME:
		return CSI
	default:
		return Unknown
	}
}

// ErrMountPoint is wrapped by the error about a container_path at which nothing
// can be mounted.
var ErrMountPoint = errors.New("no mount point")

// MountPoint makes the place for a mount, a directory or a file, and returns its
// absolute path in the container. Relative paths are in the sandbox and can't
// leave it. Absolute ones are made by the runtime in a container with an image, and
// else have to exist on the node: what would be made there would stay. root is a prefix by
// which the agent reaches the containers' files.
func MountPoint(c *isolator.Container, root, path string, isDir bool) (string, error) {
	if filepath.IsAbs(path) {
		path = filepath.Clean(path)
		if c.Rootfs != nil {
			return path, InImage(c, path)
		}
		if _, err := os.Stat(filepath.Join(root, path)); err != nil {
			return "", fmt.Errorf("%w: %s is an absolute path and has to exist: %w", ErrMountPoint, path, err)
		}
		return path, nil
	}
	path = filepath.Clean(path)
	if !filepath.IsLocal(path) || path == "." {
		return "", fmt.Errorf("%w: %s is not below the sandbox", ErrMountPoint, path)
	}
	sandbox, err := os.OpenRoot(c.Config.Sandbox)
	if err != nil {
		return "", fmt.Errorf("%w: opening the sandbox: %w", ErrMountPoint, err)
	}
	defer sandbox.Close()
	if err := place(sandbox, path, isDir); err != nil {
		return "", fmt.Errorf("%w: making %s in the sandbox: %w", ErrMountPoint, path, err)
	}
	return filepath.Join(cmp.Or(c.Inside, c.Config.Sandbox), path), nil
}

// InImage says whether something can be mounted at a path in a container with an
// image: at the root itself never, and where nothing can be made only at what is there.
func InImage(c *isolator.Container, path string) error {
	if path == "/" {
		return fmt.Errorf("%w: %s is the root of the image", ErrMountPoint, path)
	}
	if !c.Rootfs.ReadOnly {
		return nil
	}
	for _, l := range c.Rootfs.Layers {
		if _, err := os.Lstat(filepath.Join(l, path)); err == nil {
			return nil
		}
	}
	return fmt.Errorf("%w: %s is not in the image, which is read-only", ErrMountPoint, path)
}

func place(sandbox *os.Root, path string, isDir bool) error {
	if isDir {
		return sandbox.MkdirAll(path, 0o755)
	}
	if err := sandbox.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := sandbox.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	return f.Close()
}

// Bind is the mount of a volume.
func Bind(v *mesos.Volume, source, destination string) specs.Mount {
	m := specs.Mount{Destination: destination, Source: source, Type: "bind", Options: []string{"rbind", "rslave"}}
	if v.GetMode() == mesos.Volume_RO {
		m.Options = append(m.Options, "ro")
	}
	return m
}
