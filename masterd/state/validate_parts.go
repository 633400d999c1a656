package state

import (
	"errors"
	"fmt"
	"strings"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// validateCommand checks the environment of a command; nil is valid.
func validateCommand(c *mesos.CommandInfo) error {
	for _, v := range c.GetEnvironment().GetVariables() {
		if err := validateVariable(v); err != nil {
			return fmt.Errorf("environment variable '%s': %w", v.GetName(), err)
		}
	}
	return nil
}

func validateVariable(v *mesos.Environment_Variable) error {
	switch v.GetType() {
	case mesos.Environment_Variable_VALUE:
		if v.Value == nil || v.Secret != nil {
			return errors.New("type VALUE needs 'value' and no 'secret'")
		}
		return nil
	case mesos.Environment_Variable_SECRET:
		if v.Secret == nil || v.Value != nil {
			return errors.New("type SECRET needs 'secret' and no 'value'")
		}
		if err := validateSecret(v.Secret); err != nil {
			return err
		}
		if strings.IndexByte(string(v.Secret.GetValue().GetData()), 0) >= 0 {
			return errors.New("an environment can't hold a secret with null bytes")
		}
		return nil
	}
	return errors.New("its type is not known")
}

func validateSecret(s *mesos.Secret) error {
	switch s.GetType() {
	case mesos.Secret_REFERENCE:
		if s.Reference == nil || s.Value != nil {
			return errors.New("a secret of type REFERENCE needs 'reference' and no 'value'")
		}
	case mesos.Secret_VALUE:
		if s.Value == nil || s.Reference != nil {
			return errors.New("a secret of type VALUE needs 'value' and no 'reference'")
		}
	}
	return nil
}

// validateContainer checks the volumes of a container and that there is what
// its type needs; nil is valid.
func validateContainer(c *mesos.ContainerInfo) error {
	if c == nil {
		return nil
	}
	for _, v := range c.GetVolumes() {
		if err := validateVolume(v); err != nil {
			return fmt.Errorf("volume at '%s': %w", v.GetContainerPath(), err)
		}
	}
	if c.GetType() != mesos.ContainerInfo_DOCKER {
		return nil
	}
	if c.Docker == nil {
		return errors.New("a container of type DOCKER needs 'docker'")
	}
	for _, p := range c.Docker.GetParameters() {
		if p.GetKey() == "name" {
			return errors.New("the agent names Docker containers: there can't be a parameter 'name'")
		}
	}
	return nil
}

func validateVolume(v *mesos.Volume) error {
	set := 0
	for _, has := range []bool{v.HostPath != nil, v.Image != nil, v.Source != nil} {
		if has {
			set++
		}
	}
	if set != 1 {
		return errors.New("one of 'host_path', 'image' and 'source' must be set, and only one")
	}
	if v.Source == nil {
		return nil
	}
	return validateVolumeSource(v.Source)
}

func validateVolumeSource(s *mesos.Volume_Source) error {
	var has bool
	switch s.GetType() {
	case mesos.Volume_Source_DOCKER_VOLUME:
		has = s.DockerVolume != nil
	case mesos.Volume_Source_HOST_PATH:
		has = s.HostPath != nil
	case mesos.Volume_Source_SANDBOX_PATH:
		has = s.SandboxPath != nil
	case mesos.Volume_Source_SECRET:
		has = s.Secret != nil
	case mesos.Volume_Source_CSI_VOLUME:
		has = s.GetCsiVolume().GetStaticProvisioning() != nil
	default:
		return errors.New("the type of 'source' is not known")
	}
	if !has {
		return fmt.Errorf("there is nothing in 'source' for its type %s", s.GetType())
	}
	return nil
}

func validateCheck(c *mesos.CheckInfo) error {
	switch c.GetType() {
	case mesos.CheckInfo_COMMAND:
		if c.Command == nil {
			return errors.New("type COMMAND needs 'command'")
		}
		if err := validateProbe(c.Command.GetCommand()); err != nil {
			return err
		}
	case mesos.CheckInfo_HTTP:
		if c.Http == nil {
			return errors.New("type HTTP needs 'http'")
		}
		if err := validatePath(c.Http.Path); err != nil {
			return err
		}
	case mesos.CheckInfo_TCP:
		if c.Tcp == nil {
			return errors.New("type TCP needs 'tcp'")
		}
	default:
		return errors.New("it needs a 'type'")
	}
	return notNegative(seconds{"delay_seconds", c.DelaySeconds}, seconds{"interval_seconds", c.IntervalSeconds},
		seconds{"timeout_seconds", c.TimeoutSeconds})
}

func validateHealthCheck(h *mesos.HealthCheck) error {
	switch h.GetType() {
	case mesos.HealthCheck_COMMAND:
		if h.Command == nil {
			return errors.New("type COMMAND needs 'command'")
		}
		if err := validateProbe(h.Command); err != nil {
			return err
		}
	case mesos.HealthCheck_HTTP:
		if h.Http == nil {
			return errors.New("type HTTP needs 'http'")
		}
		if s := h.Http.Scheme; s != nil && *s != "http" && *s != "https" {
			return fmt.Errorf("the scheme '%s' is neither http nor https", *s)
		}
		if err := validatePath(h.Http.Path); err != nil {
			return err
		}
	case mesos.HealthCheck_TCP:
		if h.Tcp == nil {
			return errors.New("type TCP needs 'tcp'")
		}
	default:
		return errors.New("it needs a 'type'")
	}
	return notNegative(seconds{"delay_seconds", h.DelaySeconds}, seconds{"grace_period_seconds", h.GracePeriodSeconds},
		seconds{"interval_seconds", h.IntervalSeconds}, seconds{"timeout_seconds", h.TimeoutSeconds})
}

func validateProbe(c *mesos.CommandInfo) error {
	if c.Value == nil {
		return errors.New("its command needs a 'value'")
	}
	return validateCommand(c)
}

func validatePath(path *string) error {
	if path != nil && !strings.HasPrefix(*path, "/") {
		return fmt.Errorf("the path '%s' must begin with '/'", *path)
	}
	return nil
}

// seconds is a field with a time in seconds.
type seconds struct {
	field string
	value *float64
}

func notNegative(times ...seconds) error {
	for _, t := range times {
		if t.value != nil && !(*t.value >= 0) {
			return fmt.Errorf("'%s' must not be negative", t.field)
		}
	}
	return nil
}
