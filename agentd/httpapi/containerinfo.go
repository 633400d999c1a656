package httpapi

import (
	"errors"
	"fmt"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// validateContainerInfo checks what the master checks of tasks, and nobody of containers that
// come by this API.
func validateContainerInfo(info *mesos.ContainerInfo) error {
	for _, v := range info.GetVolumes() {
		if err := validateVolume(v); err != nil {
			return fmt.Errorf("Invalid volume: %w", err)
		}
	}
	if info == nil || info.GetType() != mesos.ContainerInfo_DOCKER {
		return nil
	}
	if info.Docker == nil {
		return errors.New("DockerInfo 'docker' is not set for DOCKER typed ContainerInfo")
	}
	for _, p := range info.GetDocker().GetParameters() {
		if p.GetKey() == "name" {
			return errors.New("Parameter in DockerInfo must not be 'name'")
		}
	}
	return nil
}

func validateVolume(v *mesos.Volume) error {
	sources := 0
	for _, set := range []bool{v.HostPath != nil, v.Image != nil, v.Source != nil} {
		if set {
			sources++
		}
	}
	if sources != 1 {
		return errors.New("Only one of them should be set: 'host_path', 'image' and 'source'")
	}
	if v.Source == nil {
		return nil
	}
	return validateSource(v.Source)
}

// validateSource says whether the field is there that a volume's type asks for.
func validateSource(s *mesos.Volume_Source) error {
	var field string
	var present bool
	switch s.GetType() {
	case mesos.Volume_Source_DOCKER_VOLUME:
		field, present = "docker_volume", s.DockerVolume != nil
	case mesos.Volume_Source_HOST_PATH:
		field, present = "host_path", s.HostPath != nil
	case mesos.Volume_Source_SANDBOX_PATH:
		field, present = "sandbox_path", s.SandboxPath != nil
	case mesos.Volume_Source_SECRET:
		field, present = "secret", s.Secret != nil
	case mesos.Volume_Source_CSI_VOLUME:
		field, present = "csi_volume", s.CsiVolume != nil
		if present && s.CsiVolume.StaticProvisioning == nil {
			field, present = "csi_volume.static_provisioning", false
		}
	default:
		return errors.New("'source.type' is unknown")
	}
	if !present {
		return fmt.Errorf("'source.%s' is not set for %s volume", field, s.GetType())
	}
	return nil
}
