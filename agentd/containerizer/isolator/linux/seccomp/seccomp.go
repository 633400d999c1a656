// Package seccomp is the isolator "linux/seccomp": a profile, in the form of
// Docker's, says which system calls a container may make.
package seccomp

import (
	"errors"
	"fmt"
	"io"
	"os"

	profiles "github.com/moby/profiles/seccomp"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// Name is the isolator's name.
const Name = "linux/seccomp"

// maxProfile bounds a profile. Docker's default has 14 kB.
const maxProfile = 1 << 20

// Config are the agent's flags.
type Config struct {
	// Dir has the profiles (--seccomp_config_dir).
	Dir string
	// Default is the profile of containers that name none
	// (--seccomp_profile_name); empty for no profile.
	Default string
	// Granted are the capabilities of containers whose specification has none:
	// profiles allow more to those that have more.
	Granted []string
}

// Isolator implements isolator.Isolator.
type Isolator struct {
	isolator.Nop
	cfg Config
}

// New returns the isolator, if the default profile can be used.
func New(cfg Config) (*Isolator, error) {
	if cfg.Dir == "" {
		return nil, fmt.Errorf("isolator %s: --seccomp_config_dir is missing", Name)
	}
	i := &Isolator{cfg: cfg}
	if cfg.Default != "" {
		if _, err := i.load(cfg.Default, &specs.Spec{Process: &specs.Process{}}); err != nil {
			return nil, fmt.Errorf("isolator %s: %w", Name, err)
		}
	}
	return i, nil
}

// Name implements isolator.Isolator.
func (*Isolator) Name() string { return Name }

// Prepare implements isolator.Isolator. It comes after the capabilities.
func (i *Isolator) Prepare(c *isolator.Container, _ isolator.Demand, spec *specs.Spec) error {
	name, err := i.choose(c.Config.Container.GetLinuxInfo().GetSeccomp())
	if err != nil || name == "" {
		return err
	}
	profile, err := i.load(name, spec)
	if err != nil {
		return err
	}
	spec.Linux.Seccomp = profile
	return nil
}

// choose says which profile a container has; empty for none.
func (i *Isolator) choose(asked *mesos.SeccompInfo) (string, error) {
	switch {
	case asked == nil:
		return i.cfg.Default, nil
	case asked.GetUnconfined() && asked.ProfileName != nil:
		return "", errors.New("seccomp: profile_name and unconfined exclude each other")
	case asked.GetUnconfined():
		return "", nil
	case asked.ProfileName == nil:
		return "", errors.New("seccomp: profile_name is missing")
	}
	return asked.GetProfileName(), nil
}

// load reads a profile for a container. Its name can't lead out of the directory.
func (i *Isolator) load(name string, spec *specs.Spec) (*specs.LinuxSeccomp, error) {
	dir, err := os.OpenRoot(i.cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("opening the directory of seccomp profiles: %w", err)
	}
	defer dir.Close()
	f, err := dir.Open(name)
	if err != nil {
		return nil, fmt.Errorf("opening seccomp profile %q: %w", name, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxProfile))
	if err != nil {
		return nil, fmt.Errorf("reading seccomp profile %q: %w", name, err)
	}
	if err := validate(data); err != nil {
		return nil, fmt.Errorf("seccomp profile %q: %w", name, err)
	}
	with := &specs.Spec{Process: &specs.Process{Capabilities: spec.Process.Capabilities}}
	if with.Process.Capabilities == nil {
		with.Process.Capabilities = &specs.LinuxCapabilities{Bounding: i.cfg.Granted}
	}
	profile, err := profiles.LoadProfile(string(data), with)
	if err != nil {
		return nil, fmt.Errorf("seccomp profile %q: %w", name, err)
	}
	return profile, nil
}
