package devices

import (
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/cgroups/cgrouptest"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

func allow(path string, access *mesos.DeviceAccess_Access) *mesos.DeviceWhitelist {
	return &mesos.DeviceWhitelist{AllowedDevices: []*mesos.DeviceAccess{{
		Device: &mesos.Device{Path: &path}, Access: access,
	}}}
}

func TestAllowed(t *testing.T) {
	tree := cgrouptest.FakeV1(t, "/c", nil, "devices").Tree()
	i, err := New(Config{Allowed: allow("/dev/null", &mesos.DeviceAccess_Access{Read: new(true)})}, tree)
	if err != nil {
		t.Fatal(err)
	}
	spec := &specs.Spec{Linux: &specs.Linux{Resources: &specs.LinuxResources{}}}
	if err := i.Prepare(&isolator.Container{}, isolator.Demand{}, spec); err != nil {
		t.Fatal(err)
	}
	rules := spec.Linux.Resources.Devices
	if first := rules[0]; first.Allow || first.Access != "rwm" || first.Type != "" {
		t.Errorf("the first rule is %+v; it has to forbid all", first)
	}
	last := rules[len(rules)-1]
	if !last.Allow || last.Type != "c" || *last.Major != 1 || *last.Minor != 3 || last.Access != "r" {
		t.Errorf("the rule for /dev/null is %+v", last)
	}
}

func TestRefused(t *testing.T) {
	v1 := cgrouptest.FakeV1(t, "/c", nil, "devices").Tree()
	all := &mesos.DeviceAccess_Access{Read: new(true), Write: new(true), Mknod: new(true)}
	for want, cfg := range map[string]Config{
		"without a path":       {Allowed: allow("", all)},
		"allowed for nothing":  {Allowed: allow("/dev/null", &mesos.DeviceAccess_Access{})},
		"/etc/passwd is not a": {Allowed: allow("/etc/passwd", all)},
		"no such file":         {Allowed: allow("/dev/no-such-device", all)},
	} {
		if _, err := New(cfg, v1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New: %v, want one with %q", err, want)
		}
	}
}
