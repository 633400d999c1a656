package mesos

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/filesystem"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/imagedefaults"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/volume"
	stagepkg "github.com/mesos-operator/mesos-operator/agentd/containerizer/launch"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/provisioner"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/provisioner/store"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/provisioner/store/appc"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/provisioner/store/docker"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"

	appcruntime "github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/appc/runtime"
	dockercontainer "github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/docker/container"
	dockerruntime "github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/docker/runtime"
)

// Images are the agent's flags about images.
type Images struct {
	// Providers are the kinds of images that containers can have (--image_providers).
	Providers []mesos.Image_Type
	// Backend makes root file systems of them (--image_provisioner_backend); empty for the
	// best that works.
	Backend string
	// Docker and Appc are the stores. With another MountNamespace their directories have
	// the same names there.
	Docker docker.Config
	Appc   appc.Config
	// Runtime is what of a Docker image is not taken.
	Runtime dockerruntime.Config
	// SandboxDirectory is where containers with an image see their sandbox
	// (--sandbox_directory).
	SandboxDirectory string
	// Collection prunes images when the disk is too full (--image_gc_config); nil does not.
	Collection *provisioner.Collection
}

// defaultImages has Mesos's defaults.
func defaultImages() Images {
	return Images{Docker: docker.DefaultConfig(), Appc: appc.DefaultConfig(), SandboxDirectory: "/mnt/mesos/sandbox"}
}

func (c Config) validateImages() error {
	if len(c.Images.Providers) == 0 {
		return nil
	}
	var errs []error
	if !slices.Contains(c.Isolation, filesystem.Linux) && !c.Docker.Enabled {
		errs = append(errs, fmt.Errorf("images need the isolator %s", filesystem.Linux))
	}
	if !filepath.IsAbs(c.Images.SandboxDirectory) || filepath.Clean(c.Images.SandboxDirectory) == "/" {
		errs = append(errs, fmt.Errorf("sandbox directory %q: want an absolute path, and not the root", c.Images.SandboxDirectory))
	}
	if c.Images.Collection != nil {
		errs = append(errs, c.Images.Collection.Validate())
	}
	return errors.Join(errs...)
}

// images makes the provisioner, if there are to be images.
func (m *Containerizer) images(ctx context.Context) error {
	c := m.cfg.Images
	if len(c.Providers) == 0 {
		return nil
	}
	stores := map[mesos.Image_Type]store.Store{}
	for _, p := range c.Providers {
		dir := c.Docker.Dir
		var err error
		switch p {
		case mesos.Image_DOCKER:
			c.Docker.Log = m.log.WithName("docker")
			stores[p], err = docker.New(c.Docker)
		case mesos.Image_APPC:
			dir, c.Appc.Log = c.Appc.Dir, m.log.WithName("appc")
			stores[p], err = appc.New(c.Appc)
		default:
			err = fmt.Errorf("images of type %s", p)
		}
		if err == nil && m.root != "" {
			err = m.checkShared(dir)
		}
		if err != nil {
			return err
		}
	}
	var err error
	m.provisioner, err = provisioner.New(provisioner.Config{
		Dir: filepath.Join(m.cfg.WorkDir, "provisioner"), Backend: c.Backend, Stores: stores, Log: m.log.WithName("provisioner"),
	})
	if err == nil && c.Collection != nil {
		go c.Collection.Run(ctx, m.log, m.PruneImages)
	}
	return err
}

// PruneImages implements containerizer.Containerizer. Images of containers that run stay
// also by their names: another one of the same kind then needs no pull.
func (m *Containerizer) PruneImages(ctx context.Context, keep []*mesos.Image) error {
	if m.provisioner == nil {
		return nil
	}
	keep = slices.Clone(keep)
	m.mu.Lock()
	for _, c := range m.containers {
		select {
		case <-c.done:
			continue
		default:
		}
		if image := imageOf(c.cfg); image != nil {
			keep = append(keep, image)
		}
	}
	m.mu.Unlock()
	return m.provisioner.Prune(ctx, keep)
}

// imageOf is the image that a container is to have.
func imageOf(cfg containerizer.Config) *mesos.Image {
	if cfg.Class == containerizer.ClassDebug {
		return nil // it has its parent's files
	}
	return cfg.Container.GetMesos().GetImage()
}

// provision provides a container's image, and those of its volumes.
func (m *Containerizer) provision(c *container) error {
	if image := imageOf(c.cfg); image != nil {
		rootfs, err := m.provisionOne(c, image, true)
		if err != nil {
			return err
		}
		c.inImage(rootfs, m.cfg.Images.SandboxDirectory)
	}
	for n, v := range c.cfg.Container.GetVolumes() {
		if volume.KindOf(v) != volume.Image || c.cfg.Class == containerizer.ClassDebug {
			continue
		}
		rootfs, err := m.provisionOne(c, v.GetImage(), false)
		if err != nil {
			return fmt.Errorf("volume %s: %w", v.GetContainerPath(), err)
		}
		if c.iso.Volumes == nil {
			c.iso.Volumes = map[int]*provisioner.Rootfs{}
		}
		c.iso.Volumes[n] = rootfs
	}
	return nil
}

func (m *Containerizer) provisionOne(c *container, image *mesos.Image, own bool) (*provisioner.Rootfs, error) {
	if m.provisioner == nil {
		return nil, fmt.Errorf("%w: %w: %s, as the agent has no --image_providers", containerizer.ErrUnsupported,
			provisioner.ErrType, image.GetType())
	}
	defer m.pending("provisioner::provision", c)()
	rootfs, err := m.provisioner.Provision(c.ctx, c.id, image, own)
	if err != nil {
		return nil, fmt.Errorf("provisioning the image: %w", err)
	}
	return rootfs, nil
}

// inImage makes an image's files the container's root; nil leaves it those of the node.
func (c *container) inImage(rootfs *provisioner.Rootfs, sandbox string) {
	c.iso.Rootfs = rootfs
	if rootfs != nil {
		c.iso.Inside = filepath.Clean(sandbox)
	}
}

// mounts are those that the container's files are made of, and those of isolators.
func (c *container) mounts() []stagepkg.Mount {
	var out []stagepkg.Mount
	if c.iso.Rootfs != nil {
		out = append(out, c.iso.Rootfs.Mounts...)
	}
	for _, n := range slices.Sorted(maps.Keys(c.iso.Volumes)) {
		out = append(out, c.iso.Volumes[n].Mounts...)
	}
	for _, i := range c.isolators {
		if s, ok := i.(isolator.Stager); ok {
			out = append(out, s.StageMounts(&c.iso)...)
		}
	}
	return out
}

// executorPath is where the agent's own executor is in a container with an image: in a file
// system of the container's own, so that the image keeps no trace of it.
const executorPath = "/dev/mesos-executor"

// transportFiles are variables with files by which executors speak TLS.
var transportFiles = []string{
	"LIBPROCESS_SSL_KEY_FILE", "LIBPROCESS_SSL_CERT_FILE", "LIBPROCESS_SSL_CA_FILE", "LIBPROCESS_SSL_CA_DIR",
	"SSL_KEY_FILE", "SSL_CERT_FILE", "SSL_CA_FILE", "SSL_CA_DIR",
}

// bringExecutor puts what an executor needs of the node into a container with an image: the
// files by which it reaches an agent with TLS, and that of a command task itself. It needs
// nothing else of the image, not even a library.
func (m *Containerizer) bringExecutor(c *container, spec *specs.Spec) {
	if c.iso.Rootfs == nil || c.cfg.Executor == nil {
		return
	}
	bring := func(source, destination string) {
		spec.Mounts = append(spec.Mounts, specs.Mount{
			Destination: destination, Source: source, Type: "bind", Options: []string{"bind", "ro", "nosuid", "nodev"},
		})
	}
	for _, name := range transportFiles {
		path := filepath.Clean(c.cfg.Environment[name])
		if !filepath.IsAbs(path) || volume.InImage(&c.iso, path) != nil {
			continue
		}
		if _, err := os.Stat(filepath.Join(m.root, path)); err == nil {
			bring(path, path)
		}
	}
	if c.cfg.Task != nil {
		bring(c.cfg.Command.GetValue(), executorPath)
		spec.Process.Args = append([]string{executorPath}, spec.Process.Args[1:]...)
	}
}

// processOf is what a container's process was started with, which debug containers inherit.
type processOf struct {
	env []string
	cwd string
}

// describeProcess remembers it. That of a command task is the task's, not the executor's.
func (m *Containerizer) describeProcess(c *container, spec *specs.Spec) {
	c.process = processOf{env: spec.Process.Env, cwd: spec.Process.Cwd}
	if c.iso.Docker != nil {
		if c.cfg.Task != nil {
			c.process.env = withVariables(dockercontainer.Environment(&c.iso, spec), c.cfg)
		}
		return
	}
	if d := m.defaultsOf(c); c.cfg.Task != nil {
		c.process.env = imagedefaults.Environment(c.process.env, c.cfg.Command.GetEnvironment(), d.Env)
		c.process.cwd = cmp.Or(d.WorkingDir, c.process.cwd)
	}
}

// defaultsOf are an image's words as far as an isolator takes them.
func (m *Containerizer) defaultsOf(c *container) store.Defaults {
	if c.iso.Rootfs == nil {
		return store.Defaults{}
	}
	d := c.iso.Rootfs.Defaults
	name := dockerruntime.Name
	if d.Type == mesos.Image_APPC {
		name = appcruntime.Name
	}
	if !slices.Contains(m.cfg.Isolation, name) || d.Type == mesos.Image_DOCKER && m.cfg.Images.Runtime.Ignore {
		return store.Defaults{}
	}
	return d
}

// recallImage finds the image of a container that was recovered.
func (m *Containerizer) recallImage(c *container) {
	if m.provisioner == nil {
		return
	}
	c.inImage(m.provisioner.Recalled(c.id), m.cfg.Images.SandboxDirectory)
}

// recoverImages takes over the root file systems of all containers there are, and of those
// that are about to be destroyed.
func (m *Containerizer) recoverImages(orphans []containerizer.ID) error {
	if m.provisioner == nil {
		return nil
	}
	known := map[containerizer.ID]bool{}
	m.mu.Lock()
	for id := range m.containers {
		for ; id != ""; id = id.Parent() {
			known[id] = true
		}
	}
	m.mu.Unlock()
	for _, id := range orphans {
		known[id] = true
	}
	if err := m.provisioner.Recover(known); err != nil {
		return fmt.Errorf("recovering images: %w", err)
	}
	return nil
}

// ParseProviders reads the value of --image_providers.
func ParseProviders(flag string) ([]mesos.Image_Type, error) {
	var out []mesos.Image_Type
	for name := range strings.SplitSeq(flag, ",") {
		name = strings.ToUpper(strings.TrimSpace(name))
		if name == "" {
			continue
		}
		number, ok := mesos.Image_Type_value[name]
		if !ok {
			return nil, fmt.Errorf("image provider %q: want APPC or DOCKER", name)
		}
		if p := mesos.Image_Type(number); !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out, nil
}
