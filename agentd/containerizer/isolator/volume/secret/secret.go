// Package secret is the isolator "volume/secret": a secret appears as a file that
// only the container's user can read.
//
// It is kept in the agent's runtime directory for as long as the container
// lives, which on most nodes is memory, in any case is gone after a boot, and
// can't be read by others.
package secret

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/volume"
	"github.com/mesos-operator/mesos-operator/agentd/secrets"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// Name is the isolator's name.
const Name = "volume/secret"

// Config says where files are.
type Config struct {
	// RuntimeDir is the agent's runtime directory. It has the same name for
	// containers.
	RuntimeDir string
	// Root is a prefix by which the agent reaches the node's files.
	Root string
	// Resolve finds the values. Default: those that come with the volumes.
	Resolve secrets.Resolver
}

// resolveTimeout bounds how long a launch waits for a secret.
const resolveTimeout = 30 * time.Second

// Isolator implements isolator.Isolator.
type Isolator struct {
	isolator.Nop
	cfg Config
}

// New returns the isolator.
func New(cfg Config) *Isolator {
	if cfg.Resolve == nil {
		cfg.Resolve = secrets.Values
	}
	return &Isolator{cfg: cfg}
}

// Name implements isolator.Isolator.
func (*Isolator) Name() string { return Name }

// dir is where the secrets of one container are.
func (i *Isolator) dir(id containerizer.ID) string {
	return filepath.Join(i.cfg.RuntimeDir, "secrets", string(id))
}

// Prepare implements isolator.Isolator.
func (i *Isolator) Prepare(c *isolator.Container, _ isolator.Demand, spec *specs.Spec) error {
	for n, v := range c.Config.Container.GetVolumes() {
		if volume.KindOf(v) != volume.Secret {
			continue
		}
		if c.Config.Class == containerizer.ClassDebug {
			return errors.New("a debug container has the volumes of its parent")
		}
		destination, err := volume.MountPoint(c, i.cfg.Root, v.GetContainerPath(), false)
		if err != nil {
			return err
		}
		file, err := i.write(c.ID, n, v.GetSource().GetSecret(), spec.Process.User)
		if err != nil {
			return fmt.Errorf("volume %s: %w", v.GetContainerPath(), err)
		}
		spec.Mounts = append(spec.Mounts, specs.Mount{
			Destination: destination, Source: file, Type: "bind", Options: []string{"bind", "ro", "nosuid", "nodev", "noexec"},
		})
	}
	return nil
}

// write keeps a secret and returns its file.
func (i *Isolator) write(id containerizer.ID, n int, s *mesos.Secret, who specs.User) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), resolveTimeout)
	defer cancel()
	value, err := i.cfg.Resolve(ctx, s)
	if err != nil {
		return "", err
	}
	dir := i.dir(id)
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return "", fmt.Errorf("keeping a secret: %w", err)
	}
	file := filepath.Join(dir, strconv.Itoa(n))
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o400)
	if err != nil {
		return "", fmt.Errorf("keeping a secret: %w", err)
	}
	_, err = f.Write(value)
	if err == nil && int(who.UID) != os.Geteuid() {
		err = f.Chown(int(who.UID), int(who.GID))
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return "", fmt.Errorf("keeping a secret: %w", err)
	}
	return file, nil
}

// Cleanup implements isolator.Isolator.
func (i *Isolator) Cleanup(c *isolator.Container) error {
	if err := os.RemoveAll(i.dir(c.ID)); err != nil {
		return fmt.Errorf("removing secrets: %w", err)
	}
	return nil
}
