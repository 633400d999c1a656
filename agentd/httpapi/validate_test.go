package httpapi

import (
	"strings"
	"testing"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/agent"
)

func containerID(names ...string) (id *mesos.ContainerID) {
	for _, name := range names {
		id = &mesos.ContainerID{Value: &name, Parent: id}
	}
	return id
}

// nestedCalls make each call that is about a nested container.
var nestedCalls = map[string]func(*mesos.ContainerID) *agent.Call{
	"launch_nested_container": func(id *mesos.ContainerID) *agent.Call {
		return &agent.Call{Type: agent.Call_LAUNCH_NESTED_CONTAINER.Enum(), LaunchNestedContainer: &agent.Call_LaunchNestedContainer{ContainerId: id}}
	},
	"launch_nested_container_session": func(id *mesos.ContainerID) *agent.Call {
		return &agent.Call{
			Type:                         agent.Call_LAUNCH_NESTED_CONTAINER_SESSION.Enum(),
			LaunchNestedContainerSession: &agent.Call_LaunchNestedContainerSession{ContainerId: id},
		}
	},
	"wait_nested_container": func(id *mesos.ContainerID) *agent.Call {
		return &agent.Call{Type: agent.Call_WAIT_NESTED_CONTAINER.Enum(), WaitNestedContainer: &agent.Call_WaitNestedContainer{ContainerId: id}}
	},
	"kill_nested_container": func(id *mesos.ContainerID) *agent.Call {
		return &agent.Call{Type: agent.Call_KILL_NESTED_CONTAINER.Enum(), KillNestedContainer: &agent.Call_KillNestedContainer{ContainerId: id}}
	},
	"remove_nested_container": func(id *mesos.ContainerID) *agent.Call {
		return &agent.Call{Type: agent.Call_REMOVE_NESTED_CONTAINER.Enum(), RemoveNestedContainer: &agent.Call_RemoveNestedContainer{ContainerId: id}}
	},
}

func wantRefusal(t *testing.T, c *agent.Call, text string) {
	t.Helper()
	err := validateOperatorCall(c)
	if (err == nil) != (text == "") || err != nil && !strings.Contains(err.Error(), text) {
		t.Errorf("error %v, want %q", err, text)
	}
}

// TestNestedCallValidation tries every call about a nested container with every bad ID.
func TestNestedCallValidation(t *testing.T) {
	for field, call := range nestedCalls {
		t.Run(field, func(t *testing.T) {
			for name, c := range map[string]struct {
				id   *mesos.ContainerID
				want string
			}{
				"no parent":       {containerID("a"), "Expecting '" + field + ".container_id.parent' to be present"},
				"a parent":        {containerID("a", "b"), ""},
				"the longest":     {containerID("a", strings.Repeat("x", 242)), ""},
				"too long":        {containerID("a", strings.Repeat("x", 243)), "exceeds the maximum length (242)"},
				"empty":           {containerID("a", ""), "'" + field + ".container_id' is invalid: ID must not be empty"},
				"dot":             {containerID("a", "."), "'.' is disallowed"},
				"two dots":        {containerID("a", ".."), "'..' is disallowed"},
				"a dot inside":    {containerID("a", "b.c"), "contains invalid characters"},
				"a space":         {containerID("a", "b c"), "contains invalid characters"},
				"a slash":         {containerID("a", "b/c"), "contains invalid characters"},
				"a backslash":     {containerID("a", `b\c`), "contains invalid characters"},
				"a control":       {containerID("a", "b\n"), "contains invalid characters"},
				"a bad parent":    {containerID("../a", "b"), "'ContainerID.parent' is invalid"},
				"a bad ancestor":  {containerID("", "a", "b"), "'ContainerID.parent' is invalid: 'ContainerID.parent' is invalid"},
				"an empty parent": {&mesos.ContainerID{Value: new("a"), Parent: &mesos.ContainerID{}}, "ID must not be empty"},
				"no ID":           {nil, "ID must not be empty"},
			} {
				t.Run(name, func(t *testing.T) { wantRefusal(t, call(c.id), c.want) })
			}
			bare := &agent.Call{Type: call(nil).Type}
			wantRefusal(t, bare, "Expecting '"+field+"' to be present")
		})
	}
}

// TestLaunchValidation tries what launches may not ask for.
func TestLaunchValidation(t *testing.T) {
	secret := func(s *mesos.Secret) *mesos.Environment_Variable {
		return &mesos.Environment_Variable{Name: new("V"), Type: mesos.Environment_Variable_SECRET.Enum(), Secret: s}
	}
	value := &mesos.Secret_Value{Data: []byte("x")}
	reference := &mesos.Secret_Reference{Name: new("r")}
	ofValue, ofReference := mesos.Secret_VALUE.Enum(), mesos.Secret_REFERENCE.Enum()
	for name, c := range map[string]struct {
		v    *mesos.Environment_Variable
		want string
	}{
		"a value":              {&mesos.Environment_Variable{Name: new("V"), Value: new("x")}, ""},
		"no value":             {&mesos.Environment_Variable{Name: new("V")}, "'V' of type 'VALUE' must have a value set"},
		"a value and a secret": {&mesos.Environment_Variable{Name: new("V"), Value: new("x"), Secret: &mesos.Secret{}}, "'V' of type 'VALUE' must not have a secret set"},
		"an unknown type":      {&mesos.Environment_Variable{Name: new("V"), Value: new("x"), Type: mesos.Environment_Variable_UNKNOWN.Enum()}, "type 'UNKNOWN' is not allowed"},
		"a secret":             {secret(&mesos.Secret{Type: ofValue, Value: value}), ""},
		"a reference":          {secret(&mesos.Secret{Type: ofReference, Reference: reference}), ""},
		"no secret":            {secret(nil), "'V' of type 'SECRET' must have a secret set"},
		"a secret and a value": {
			&mesos.Environment_Variable{Name: new("V"), Type: mesos.Environment_Variable_SECRET.Enum(), Value: new("x"), Secret: &mesos.Secret{Type: ofValue, Value: value}},
			"'V' of type 'SECRET' must not have a value set",
		},
		"a secret without its value": {secret(&mesos.Secret{Type: ofValue}), "Secret of type VALUE must have the 'value' field set"},
		"a value with a reference":   {secret(&mesos.Secret{Type: ofValue, Value: value, Reference: reference}), "Secret of type VALUE must not have the 'reference' field set"},
		"a reference to nothing":     {secret(&mesos.Secret{Type: ofReference}), "Secret of type REFERENCE must have the 'reference' field set"},
		"a reference with a value":   {secret(&mesos.Secret{Type: ofReference, Value: value, Reference: reference}), "Secret 'r' of type REFERENCE must not have the 'value' field set"},
		"a null byte":                {secret(&mesos.Secret{Type: ofValue, Value: &mesos.Secret_Value{Data: []byte("a\x00b")}}), "null bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			command := &mesos.CommandInfo{Environment: &mesos.Environment{Variables: []*mesos.Environment_Variable{c.v}}}
			for _, call := range launchCalls(containerID("a", "b"), command, nil) {
				wantRefusal(t, call, c.want)
			}
		})
	}
	for name, c := range map[string]struct {
		v    *mesos.Volume
		want string
	}{
		"a path":            {&mesos.Volume{HostPath: new("/x")}, ""},
		"nothing":           {&mesos.Volume{}, "Only one of them should be set"},
		"two":               {&mesos.Volume{HostPath: new("/x"), Image: &mesos.Image{}}, "Only one of them should be set"},
		"an unknown source": {&mesos.Volume{Source: &mesos.Volume_Source{}}, "'source.type' is unknown"},
		"no sandbox path":   {&mesos.Volume{Source: &mesos.Volume_Source{Type: mesos.Volume_Source_SANDBOX_PATH.Enum()}}, "'source.sandbox_path' is not set for SANDBOX_PATH volume"},
		"a CSI volume": {
			&mesos.Volume{Source: &mesos.Volume_Source{Type: mesos.Volume_Source_CSI_VOLUME.Enum(), CsiVolume: &mesos.Volume_Source_CSIVolume{}}},
			"'source.csi_volume.static_provisioning' is not set",
		},
	} {
		t.Run("volume: "+name, func(t *testing.T) {
			for _, call := range launchCalls(containerID("a", "b"), nil, &mesos.ContainerInfo{Type: mesos.ContainerInfo_MESOS.Enum(), Volumes: []*mesos.Volume{c.v}}) {
				wantRefusal(t, call, c.want)
			}
		})
	}
}

// launchCalls are the three calls that launch a container.
func launchCalls(id *mesos.ContainerID, command *mesos.CommandInfo, info *mesos.ContainerInfo) []*agent.Call {
	return []*agent.Call{
		{Type: agent.Call_LAUNCH_CONTAINER.Enum(), LaunchContainer: &agent.Call_LaunchContainer{ContainerId: id, Command: command, Container: info}},
		{Type: agent.Call_LAUNCH_NESTED_CONTAINER.Enum(), LaunchNestedContainer: &agent.Call_LaunchNestedContainer{ContainerId: id, Command: command, Container: info}},
		{Type: agent.Call_LAUNCH_NESTED_CONTAINER_SESSION.Enum(), LaunchNestedContainerSession: &agent.Call_LaunchNestedContainerSession{ContainerId: id, Command: command, Container: info}},
	}
}

// TestLaunchContainerValidation tries resources and cgroups of containers at each depth.
func TestLaunchContainerValidation(t *testing.T) {
	scalar := func(name string, v float64) *mesos.Resource {
		return &mesos.Resource{Name: &name, Type: mesos.Value_SCALAR.Enum(), Scalar: &mesos.Value_Scalar{Value: &v}}
	}
	shares := func(yes bool) *mesos.ContainerInfo {
		return &mesos.ContainerInfo{Type: mesos.ContainerInfo_MESOS.Enum(), LinuxInfo: &mesos.LinuxInfo{ShareCgroups: &yes}}
	}
	alone, nested, deep := containerID("a"), containerID("a", "b"), containerID("a", "b", "c")
	reserved, revocable, volume := scalar("cpus", 1), scalar("cpus", 1), scalar("disk", 1)
	reserved.Reservations = []*mesos.Resource_ReservationInfo{{Type: mesos.Resource_ReservationInfo_STATIC.Enum(), Role: new("r")}}
	revocable.Revocable = &mesos.Resource_RevocableInfo{}
	volume.Disk = &mesos.Resource_DiskInfo{Persistence: &mesos.Resource_DiskInfo_Persistence{Id: new("v")}, Volume: &mesos.Volume{ContainerPath: new("p"), Mode: mesos.Volume_RW.Enum()}}
	for name, c := range map[string]struct {
		id     *mesos.ContainerID
		rs     []*mesos.Resource
		limits map[string]*mesos.Value_Scalar
		info   *mesos.ContainerInfo
		want   string
	}{
		"plain":                      {id: alone, rs: []*mesos.Resource{scalar("cpus", 0.1), scalar("gpus", 2)}},
		"negative":                   {id: alone, rs: []*mesos.Resource{scalar("cpus", -1)}, want: "Invalid resources"},
		"half a GPU":                 {id: alone, rs: []*mesos.Resource{scalar("gpus", 0.5)}, want: "The 'gpus' resource must be an unsigned integer"},
		"reserved":                   {id: alone, rs: []*mesos.Resource{reserved}, want: "must be unreserved"},
		"revocable":                  {id: alone, rs: []*mesos.Resource{revocable}, want: "must be non-revocable"},
		"persistent":                 {id: alone, rs: []*mesos.Resource{volume}, want: "persistent"},
		"nested, reserved":           {id: nested, rs: []*mesos.Resource{reserved}},
		"deep, with resources":       {id: deep, rs: []*mesos.Resource{scalar("cpus", 1)}, want: "cannot specify resources"},
		"deep, with limits":          {id: deep, limits: map[string]*mesos.Value_Scalar{"cpus": {Value: new(1.0)}}, want: "cannot specify resource limits"},
		"deep, cgroups of its own":   {id: deep, info: shares(false), want: "cannot set 'share_cgroups' to 'false'"},
		"deep, shared cgroups":       {id: deep, info: shares(true)},
		"nested, cgroups of its own": {id: nested, info: shares(false)},
		"alone, shared cgroups":      {id: alone, info: shares(true), want: "cannot set 'share_cgroups' to 'true'"},
		"alone, cgroups of its own":  {id: alone, info: shares(false)},
	} {
		t.Run(name, func(t *testing.T) {
			wantRefusal(t, &agent.Call{Type: agent.Call_LAUNCH_CONTAINER.Enum(), LaunchContainer: &agent.Call_LaunchContainer{
				ContainerId: c.id, Resources: c.rs, Limits: c.limits, Container: c.info,
			}}, c.want)
		})
	}
	session := nestedCalls["launch_nested_container_session"](nested)
	session.LaunchNestedContainerSession.Container = shares(false)
	wantRefusal(t, session, "'share_cgroups' cannot be set to 'false' for nested container sessions")
}

// TestAttachInputValidation tries the first record of what is sent to a container.
func TestAttachInputValidation(t *testing.T) {
	for name, c := range map[string]struct {
		in   *agent.Call_AttachContainerInput
		want string
	}{
		"nothing":         {nil, "Expecting 'attach_container_input' to be present"},
		"no type":         {&agent.Call_AttachContainerInput{}, "Expecting 'attach_container_input.type' to be present"},
		"an unknown type": {&agent.Call_AttachContainerInput{Type: agent.Call_AttachContainerInput_UNKNOWN.Enum()}, "'attach_container_input.type' is unknown"},
		"no container":    {&agent.Call_AttachContainerInput{Type: agent.Call_AttachContainerInput_CONTAINER_ID.Enum()}, "'attach_container_input.container_id' is invalid"},
		"a container":     {&agent.Call_AttachContainerInput{Type: agent.Call_AttachContainerInput_CONTAINER_ID.Enum(), ContainerId: containerID("a")}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			wantRefusal(t, &agent.Call{Type: agent.Call_ATTACH_CONTAINER_INPUT.Enum(), AttachContainerInput: c.in}, c.want)
		})
	}
	for _, kind := range []agent.Call_Type{
		agent.Call_ADD_RESOURCE_PROVIDER_CONFIG, agent.Call_UPDATE_RESOURCE_PROVIDER_CONFIG, agent.Call_REMOVE_RESOURCE_PROVIDER_CONFIG,
	} {
		wantRefusal(t, &agent.Call{Type: &kind}, "Expecting '"+strings.ToLower(kind.String())+"' to be present")
	}
}
