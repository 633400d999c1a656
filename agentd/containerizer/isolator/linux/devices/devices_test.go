package devices

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/device"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

func allow(path, access string) *mesos.DeviceWhitelist {
	a := &mesos.DeviceAccess_Access{}
	for _, letter := range access {
		switch letter {
		case 'r':
			a.Read = new(true)
		case 'w':
			a.Write = new(true)
		case 'm':
			a.Mknod = new(true)
		}
	}
	return &mesos.DeviceWhitelist{AllowedDevices: []*mesos.DeviceAccess{{Device: &mesos.Device{Path: &path}, Access: a}}}
}

func prepare(t *testing.T, allowed *mesos.DeviceWhitelist, spec *specs.Spec) []specs.LinuxDevice {
	t.Helper()
	i, err := New(Config{Allowed: allowed})
	if err != nil {
		t.Fatal(err)
	}
	if err := i.Prepare(&isolator.Container{}, isolator.Demand{}, spec); err != nil {
		t.Fatal(err)
	}
	return spec.Linux.Devices
}

// TestModes: what a device is allowed for can be seen by its mode.
func TestModes(t *testing.T) {
	for access, want := range map[string]int{"r": 0o644, "w": 0o622, "rw": 0o666, "rwm": 0o666, "m": 0o600} {
		t.Run(access, func(t *testing.T) {
			spec := &specs.Spec{Root: &specs.Root{Path: "/images/x"}, Linux: &specs.Linux{}}
			got := prepare(t, allow("/dev/null", access), spec)
			if len(got) != 1 || got[0].Path != "/dev/null" || got[0].Type != "c" || got[0].Major != 1 || got[0].Minor != 3 {
				t.Fatalf("devices %+v", got)
			}
			if int(*got[0].FileMode) != want {
				t.Errorf("mode %o, want %o", *got[0].FileMode, want)
			}
		})
	}
}

// TestNodesOwn: a container without an image has the devices of the node, and needs
// none.
func TestNodesOwn(t *testing.T) {
	if got := prepare(t, allow("/dev/null", "rw"), &specs.Spec{Linux: &specs.Linux{}}); got != nil {
		t.Errorf("devices %+v", got)
	}
}

func TestNames(t *testing.T) {
	got := map[string]string{}
	for _, path := range []string{"/dev/null", "/dev/net/tun", "/opt/dev/card"} {
		got[path] = inside(path)
	}
	want := map[string]string{"/dev/null": "/dev/null", "/dev/net/tun": "/dev/net/tun", "/opt/dev/card": "/dev/opt/dev/card"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestRefused(t *testing.T) {
	if _, err := New(Config{Allowed: allow("/etc/passwd", "r")}); !errors.Is(err, device.ErrNotDevice) {
		t.Errorf("a file as a device: %v", err)
	}
	if _, err := New(Config{Allowed: allow("", "r")}); err == nil {
		t.Error("a device without a path was taken")
	}
}
