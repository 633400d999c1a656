package app

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/mesos"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/provisioner"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/provisioner/store/docker"
	v1 "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/codec"
	"github.com/mesos-operator/mesos-operator/internal/flags"
)

// imageFlags are the settings of images.
type imageFlags struct {
	providers, backend, collection *string
	dockerConfig                   *string
	dockerRegistry, dockerStore    string
	dockerIgnoreRuntime            bool
	appcPrefix, appcStore          string
}

// dockerConfigType is a Docker configuration, or the path of a file with one. Its contents
// are never shown.
var dockerConfigType = flags.Type[string]{
	Parse: func(text string) (string, error) { return strings.TrimPrefix(text, "file://"), nil },
	Format: func(text string) string {
		if filepath.IsAbs(text) {
			return text
		}
		return "{}"
	},
	Value: "JSON",
	Raw:   true,
}

func (f *imageFlags) define(s *flags.Set) {
	s.OptionalString(&f.providers, "image_providers", "Kinds of images that containers may have: DOCKER, APPC. Needs the isolator filesystem/linux.")
	s.OptionalString(&f.backend, "image_provisioner_backend", "How root file systems are made of them: overlay, bind or copy. Default: overlay where it works, else copy.")
	flags.Optional(s, &f.collection, "image_gc_config", collectionType,
		`When to prune images without being asked: {"image_disk_headroom":0.1,"image_disk_watch_interval":{"nanoseconds":3600000000000},"excluded_images":[]}.`)
	s.String(&f.dockerRegistry, "docker_registry", docker.DefaultConfig().Registry, "URL of the registry of images that name none, or a directory with archives of images.")
	s.String(&f.dockerStore, "docker_store_dir", docker.DefaultConfig().Dir, "Directory for Docker images, of this agent alone.")
	flags.Optional(s, &f.dockerConfig, "docker_config", dockerConfigType, "Credentials for registries, as in ~/.docker/config.json: JSON, or the path of a file with it.")
	s.Bool(&f.dockerIgnoreRuntime, "docker_ignore_runtime", false, "Don't take command, environment and working directory of Docker images.")
	s.String(&f.appcPrefix, "appc_simple_discovery_uri_prefix", "http://", "What comes before the names of AppC images to get where they are: http://, https://, or a directory.")
	s.String(&f.appcStore, "appc_store_dir", "/tmp/mesos/store/appc", "Directory for AppC images, of this agent alone.")
}

// collectionType is an ImageGcConfig in JSON, or the path of a file with one.
var collectionType = flags.Type[string]{
	Parse: func(text string) (string, error) {
		raw, err := flags.JSONType.Parse(text)
		return string(raw), err
	},
	Format: func(text string) string { return text },
	Value:  "JSON",
}

// images puts them into the configuration of containers.
func (f *Flags) images(cfg *mesos.Config, pulled func(time.Duration)) error {
	i := &f.image
	providers, err := mesos.ParseProviders(given(i.providers))
	if err != nil {
		return fmt.Errorf("--image_providers: %w", err)
	}
	containers, err := f.container.names()
	if err != nil {
		return err
	}
	if slices.Contains(containers, dockerContainers) && !slices.Contains(providers, v1.Image_DOCKER) {
		providers = append(providers, v1.Image_DOCKER)
	}
	if len(providers) == 0 {
		return nil
	}
	c := &cfg.Images
	c.Providers, c.Backend, c.SandboxDirectory = providers, given(i.backend), f.SandboxDirectory
	c.Runtime.Ignore = i.dockerIgnoreRuntime
	c.Docker.Dir, c.Docker.Registry, c.Docker.StallTimeout = f.storeDir("docker_store_dir", i.dockerStore, "docker"), i.dockerRegistry, f.FetcherStallTimeout
	c.Docker.Pulled = pulled
	c.Appc.Dir, c.Appc.Prefix, c.Appc.StallTimeout = f.storeDir("appc_store_dir", i.appcStore, "appc"), i.appcPrefix, f.FetcherStallTimeout
	if c.Docker.Credentials, err = i.credentials(); err != nil {
		return fmt.Errorf("--docker_config: %w", err)
	}
	if i.collection == nil {
		return nil
	}
	if c.Collection, err = collection(*i.collection, c.Docker.Dir); err != nil {
		return fmt.Errorf("--image_gc_config: %w", err)
	}
	return nil
}

// storeDir is a store's directory. Where the agent has other files than its containers, it
// has to be in a directory that both have.
func (f *Flags) storeDir(flag, dir, kind string) string {
	if f.MountNamespace != "" && !f.set.Given(flag) {
		return filepath.Join(f.WorkDir, "store", kind)
	}
	return dir
}

func (f *imageFlags) credentials() (docker.Credentials, error) {
	if f.dockerConfig == nil {
		return nil, nil
	}
	text := []byte(*f.dockerConfig)
	if filepath.IsAbs(*f.dockerConfig) {
		var err error
		if text, err = os.ReadFile(*f.dockerConfig); err != nil {
			return nil, err
		}
	}
	return docker.ParseCredentials(text)
}

// collection reads an ImageGcConfig, a message that never leaves the agent.
func collection(text, dir string) (*provisioner.Collection, error) {
	var message struct {
		Headroom *float64 `json:"image_disk_headroom"`
		Interval *struct {
			Nanoseconds int64 `json:"nanoseconds"`
		} `json:"image_disk_watch_interval"`
		Excluded []json.RawMessage `json:"excluded_images"`
	}
	if err := json.Unmarshal([]byte(text), &message); err != nil {
		return nil, err
	}
	if message.Headroom == nil || message.Interval == nil {
		return nil, fmt.Errorf("want image_disk_headroom and image_disk_watch_interval")
	}
	c := &provisioner.Collection{Dir: dir, Headroom: *message.Headroom, Interval: time.Duration(message.Interval.Nanoseconds)}
	for _, raw := range message.Excluded {
		image := &v1.Image{}
		if err := codec.Unmarshal(codec.JSON, raw, image); err != nil {
			return nil, fmt.Errorf("excluded_images: %w", err)
		}
		c.Exclude = append(c.Exclude, image)
	}
	return c, c.Validate()
}
