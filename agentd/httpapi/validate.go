package httpapi

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/agent"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// maxContainerID is how long a name of a container may be, in Mesos.
const maxContainerID = 242

// containerPart is what a call about a container must have, by the name of its field.
type containerPart struct {
	field string
	// present says that the field is set.
	present bool
	id      *mesos.ContainerID
	// nested says that the container must have a parent.
	nested    bool
	command   *mesos.CommandInfo
	container *mesos.ContainerInfo
}

// containerPartOf returns that part of a call; false for calls about other things.
func containerPartOf(c *agent.Call) (containerPart, bool) {
	switch c.GetType() {
	case agent.Call_LAUNCH_NESTED_CONTAINER:
		l := c.GetLaunchNestedContainer()
		return containerPart{"launch_nested_container", l != nil, l.GetContainerId(), true, l.GetCommand(), l.GetContainer()}, true
	case agent.Call_LAUNCH_NESTED_CONTAINER_SESSION:
		l := c.GetLaunchNestedContainerSession()
		return containerPart{"launch_nested_container_session", l != nil, l.GetContainerId(), true, l.GetCommand(), l.GetContainer()}, true
	case agent.Call_LAUNCH_CONTAINER:
		l := c.GetLaunchContainer()
		return containerPart{"launch_container", l != nil, l.GetContainerId(), false, l.GetCommand(), l.GetContainer()}, true
	case agent.Call_WAIT_NESTED_CONTAINER:
		l := c.GetWaitNestedContainer()
		return containerPart{field: "wait_nested_container", present: l != nil, id: l.GetContainerId(), nested: true}, true
	case agent.Call_WAIT_CONTAINER:
		l := c.GetWaitContainer()
		return containerPart{field: "wait_container", present: l != nil, id: l.GetContainerId()}, true
	case agent.Call_KILL_NESTED_CONTAINER:
		l := c.GetKillNestedContainer()
		return containerPart{field: "kill_nested_container", present: l != nil, id: l.GetContainerId(), nested: true}, true
	case agent.Call_KILL_CONTAINER:
		l := c.GetKillContainer()
		return containerPart{field: "kill_container", present: l != nil, id: l.GetContainerId()}, true
	case agent.Call_REMOVE_NESTED_CONTAINER:
		l := c.GetRemoveNestedContainer()
		return containerPart{field: "remove_nested_container", present: l != nil, id: l.GetContainerId(), nested: true}, true
	case agent.Call_REMOVE_CONTAINER:
		l := c.GetRemoveContainer()
		return containerPart{field: "remove_container", present: l != nil, id: l.GetContainerId()}, true
	case agent.Call_ATTACH_CONTAINER_OUTPUT:
		l := c.GetAttachContainerOutput()
		return containerPart{field: "attach_container_output", present: l != nil, id: l.GetContainerId()}, true
	}
	return containerPart{}, false
}

// validateContainerCall checks the form of a call about a container.
func validateContainerCall(c *agent.Call) error {
	if c.GetType() == agent.Call_ATTACH_CONTAINER_INPUT {
		return validateAttach(c.AttachContainerInput)
	}
	p, ok := containerPartOf(c)
	if !ok {
		return nil
	}
	if !p.present {
		return errors.New("Expecting '" + p.field + "' to be present")
	}
	if err := validateContainerID(p.id); err != nil {
		return fmt.Errorf("'%s.container_id' is invalid: %w", p.field, err)
	}
	if p.nested && p.id.GetParent() == nil {
		return errors.New("Expecting '" + p.field + ".container_id.parent' to be present")
	}
	if err := validateEnvironment(p.command.GetEnvironment()); err != nil {
		return fmt.Errorf("'%s.command' is invalid: %w", p.field, err)
	}
	if err := validateContainerInfo(p.container); err != nil {
		return fmt.Errorf("'%s.container' is invalid: %w", p.field, err)
	}
	return validateLimits(c, p)
}

// validateAttach checks the first record of input.
func validateAttach(in *agent.Call_AttachContainerInput) error {
	switch {
	case in == nil:
		return errors.New("Expecting 'attach_container_input' to be present")
	case in.Type == nil:
		return errors.New("Expecting 'attach_container_input.type' to be present")
	case in.GetType() == agent.Call_AttachContainerInput_UNKNOWN:
		return errors.New("'attach_container_input.type' is unknown")
	case in.GetType() == agent.Call_AttachContainerInput_PROCESS_IO:
		return nil
	}
	if err := validateContainerID(in.GetContainerId()); err != nil {
		return fmt.Errorf("'attach_container_input.container_id' is invalid: %w", err)
	}
	return nil
}

// validateLimits checks what a container wants beside its parent's limits.
func validateLimits(c *agent.Call, p containerPart) error {
	info, launch := p.container.GetLinuxInfo(), c.GetLaunchContainer()
	deep := p.id.GetParent().GetParent() != nil
	switch {
	case c.GetType() == agent.Call_LAUNCH_NESTED_CONTAINER_SESSION && info != nil && !info.GetShareCgroups():
		return fmt.Errorf("'%s.container.linux_info' is invalid: 'share_cgroups' cannot be set to 'false' for nested container sessions", p.field)
	case deep && len(launch.GetResources()) > 0:
		return fmt.Errorf("'%s' is invalid: containers nested at the second level or greater cannot specify resources", p.field)
	case deep && len(launch.GetLimits()) > 0:
		return fmt.Errorf("'%s' is invalid: containers nested at the second level or greater cannot specify resource limits", p.field)
	case deep && !info.GetShareCgroups():
		return fmt.Errorf("'%s' is invalid: containers nested at the second level or greater cannot set 'share_cgroups' to 'false'", p.field)
	case launch != nil && p.id.GetParent() == nil && info != nil && info.ShareCgroups != nil && info.GetShareCgroups():
		return fmt.Errorf("'%s' is invalid: containers without a parent cannot set 'share_cgroups' to 'true'", p.field)
	}
	if launch == nil {
		return nil
	}
	resources.Upgrade(launch.Resources)
	if err := resources.ValidateAll(launch.GetResources()); err != nil {
		return fmt.Errorf("Invalid resources: %w", err)
	}
	if resources.Of(launch.GetResources()...).Scalar("gpus")%resources.ScalarOf(1) != 0 {
		return errors.New("Invalid GPU resources: The 'gpus' resource must be an unsigned integer")
	}
	if p.id.GetParent() != nil {
		return nil
	}
	for _, r := range launch.GetResources() {
		switch {
		case len(r.GetReservations()) > 0:
			return fmt.Errorf("'%s.resources' must be unreserved", p.field)
		case r.GetDisk().GetPersistence() != nil:
			return fmt.Errorf("'%s.resources' may not use persistent volumes", p.field)
		case r.GetRevocable() != nil:
			return fmt.Errorf("'%s.resources' must be non-revocable", p.field)
		}
	}
	return nil
}

// validateContainerID checks the names of a container and its ancestors, which
// become directories.
func validateContainerID(id *mesos.ContainerID) error {
	name := id.GetValue()
	switch {
	case name == "":
		return errors.New("ID must not be empty")
	case name == "." || name == "..":
		return fmt.Errorf("'%s' is disallowed", name)
	case strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f || r == '/' || r == '\\' }):
		return fmt.Errorf("'%s' contains invalid characters", name)
	case len(name) > maxContainerID:
		return fmt.Errorf("'ContainerID.value' '%s' exceeds the maximum length (%d)", name, maxContainerID)
	case strings.ContainsAny(name, ". "):
		return fmt.Errorf("'ContainerID.value' '%s' contains invalid characters", name)
	}
	if id.GetParent() == nil {
		return nil
	}
	if err := validateContainerID(id.GetParent()); err != nil {
		return fmt.Errorf("'ContainerID.parent' is invalid: %w", err)
	}
	return nil
}

// validateEnvironment checks that each variable has the value that its type says.
func validateEnvironment(env *mesos.Environment) error {
	for _, v := range env.GetVariables() {
		if v.GetType() == mesos.Environment_Variable_UNKNOWN {
			return errors.New("Environment variable of type 'UNKNOWN' is not allowed")
		}
		secret := v.GetType() == mesos.Environment_Variable_SECRET
		switch {
		case secret && v.Secret == nil:
			return fmt.Errorf("Environment variable '%s' of type 'SECRET' must have a secret set", v.GetName())
		case secret && v.Value != nil:
			return fmt.Errorf("Environment variable '%s' of type 'SECRET' must not have a value set", v.GetName())
		case secret && v.GetSecret().GetType() == mesos.Secret_REFERENCE && v.GetSecret().Reference == nil:
			return fmt.Errorf("Environment variable '%s' specifies an invalid secret: Secret of type REFERENCE must have the 'reference' field set", v.GetName())
		case secret && v.GetSecret().GetType() == mesos.Secret_REFERENCE && v.GetSecret().Value != nil:
			return fmt.Errorf("Environment variable '%s' specifies an invalid secret: Secret '%s' of type REFERENCE must not have the 'value' field set",
				v.GetName(), v.GetSecret().GetReference().GetName())
		case secret && v.GetSecret().GetType() == mesos.Secret_VALUE && v.GetSecret().Value == nil:
			return fmt.Errorf("Environment variable '%s' specifies an invalid secret: Secret of type VALUE must have the 'value' field set", v.GetName())
		case secret && v.GetSecret().GetType() == mesos.Secret_VALUE && v.GetSecret().Reference != nil:
			return fmt.Errorf("Environment variable '%s' specifies an invalid secret: Secret of type VALUE must not have the 'reference' field set", v.GetName())
		case secret && bytes.IndexByte(v.GetSecret().GetValue().GetData(), 0) >= 0:
			return fmt.Errorf("Environment variable '%s' specifies a secret containing null bytes, which is not allowed in the environment", v.GetName())
		case !secret && v.Value == nil:
			return fmt.Errorf("Environment variable '%s' of type 'VALUE' must have a value set", v.GetName())
		case !secret && v.Secret != nil:
			return fmt.Errorf("Environment variable '%s' of type 'VALUE' must not have a secret set", v.GetName())
		}
	}
	return nil
}
