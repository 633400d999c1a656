package ipc

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/launch"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/provisioner"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// TestSharedShm: whose /dev/shm a nested container has depends on all containers above it.
func TestSharedShm(t *testing.T) {
	const unset, private, share = mesos.LinuxInfo_UNKNOWN, mesos.LinuxInfo_PRIVATE, mesos.LinuxInfo_SHARE_PARENT
	type level struct {
		mode  mesos.LinuxInfo_IpcMode
		image bool
		debug bool
	}
	tests := map[string]struct {
		levels  []level // from the outermost to the container
		parents bool    // whether it is brought from the parent's mount namespace
		bound   bool    // whether what the runtime sees is bound in an image
	}{
		"outermost":                  {levels: []level{{mode: share}}},
		"outermost with an image":    {levels: []level{{mode: share, image: true}}, bound: true},
		"of a private one":           {levels: []level{{mode: private}, {mode: share}}, parents: true},
		"with an image":              {levels: []level{{mode: private}, {mode: share, image: true}}, parents: true, bound: true},
		"of a private grandparent":   {levels: []level{{mode: private}, {mode: share}, {mode: share}}, parents: true},
		"of a parent with an image":  {levels: []level{{image: true}, {mode: share}}, parents: true},
		"of the node":                {levels: []level{{}, {mode: share}}},
		"of the node, with an image": {levels: []level{{mode: share}, {mode: share, image: true}}, bound: true},
		"nothing said":               {levels: []level{{mode: private}, {}}},
		"nothing said, an image":     {levels: []level{{mode: private}, {image: true}}},
		"a private one below":        {levels: []level{{mode: private}, {mode: private}}},
		"debug":                      {levels: []level{{mode: private}, {mode: share, debug: true}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			i := New(Config{})
			var c *isolator.Container
			for _, l := range tt.levels {
				next := &isolator.Container{ID: "c", Parent: c, PID: 42}
				if c != nil {
					if err := i.Attach(c, false); err != nil {
						t.Fatal(err)
					}
					next.ID, next.PID = c.ID.Child("c"), c.PID+1
				}
				next.Config.Container = &mesos.ContainerInfo{LinuxInfo: &mesos.LinuxInfo{}}
				if l.mode != unset {
					next.Config.Container.LinuxInfo.IpcMode = &l.mode
				}
				if l.image {
					next.Rootfs = &provisioner.Rootfs{}
				}
				if l.debug {
					next.Config.Class = containerizer.ClassDebug
				}
				c = next
			}
			spec := &specs.Spec{Linux: &specs.Linux{}}
			if err := i.Prepare(c, isolator.Demand{}, spec); err != nil {
				t.Fatal(err)
			}
			var want []launch.Mount
			if tt.parents {
				want = []launch.Mount{{Namespace: map[int]string{
					43: "/proc/42/ns/mnt", 44: "/proc/43/ns/mnt"}[c.PID], Source: "/dev/shm", Target: "/dev/shm"}}
			}
			if diff := cmp.Diff(want, i.StageMounts(c)); diff != "" {
				t.Errorf("mounts of the stage (-want +got):\n%s", diff)
			}
			bound := len(spec.Mounts) > 0 && spec.Mounts[0].Type == "bind"
			if bound != tt.bound {
				t.Errorf("mounts %+v", spec.Mounts)
			}
		})
	}
}
