package ipc

import (
	"slices"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

func TestModes(t *testing.T) {
	private, share := mesos.LinuxInfo_PRIVATE.Enum(), mesos.LinuxInfo_SHARE_PARENT.Enum()
	const own, parents, nodes = "new", "/proc/42/ns/ipc", ""
	tests := map[string]struct {
		cfg       Config
		id        containerizer.ID
		debug     bool
		info      *mesos.LinuxInfo
		namespace string
		shm       string // the size, "default", or "" for that of the node
		fails     bool
	}{
		"outermost":                  {id: "c", namespace: own},
		"outermost, private":         {id: "c", info: &mesos.LinuxInfo{IpcMode: private}, namespace: own, shm: "default"},
		"outermost, with a size":     {id: "c", info: &mesos.LinuxInfo{IpcMode: private, ShmSize: new(uint32(64))}, namespace: own, shm: "size=67108864"},
		"the agent's default size":   {cfg: Config{ShmSize: 1 << 20}, id: "c", info: &mesos.LinuxInfo{IpcMode: private}, namespace: own, shm: "size=1048576"},
		"outermost, shared":          {id: "c", info: &mesos.LinuxInfo{IpcMode: share}, namespace: nodes},
		"outermost, shared, refused": {cfg: Config{ForbidSharing: true}, id: "c", info: &mesos.LinuxInfo{IpcMode: share}, fails: true},
		"nested":                     {id: "p.c", namespace: parents},
		"nested, private":            {id: "p.c", info: &mesos.LinuxInfo{IpcMode: private}, namespace: own, shm: "default"},
		"nested, shared":             {cfg: Config{ForbidSharing: true}, id: "p.c", info: &mesos.LinuxInfo{IpcMode: share}, namespace: parents},
		"debug":                      {id: "p.c", debug: true, namespace: parents},
		"debug, private":             {id: "p.c", debug: true, info: &mesos.LinuxInfo{IpcMode: private}, fails: true},
		"a size of what is shared":   {id: "c", info: &mesos.LinuxInfo{ShmSize: new(uint32(64))}, fails: true},
		"an unknown mode":            {id: "c", info: &mesos.LinuxInfo{IpcMode: mesos.LinuxInfo_UNKNOWN.Enum()}, fails: true},
		"without a parent":           {id: "x.c", fails: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			i := New(tt.cfg)
			if err := i.Attach(&isolator.Container{ID: "p", PID: 42}, false); err != nil {
				t.Fatal(err)
			}
			c := &isolator.Container{ID: tt.id, Config: containerizer.Config{Container: &mesos.ContainerInfo{LinuxInfo: tt.info}}}
			if tt.debug {
				c.Config.Class = containerizer.ClassDebug
			}
			spec := &specs.Spec{Linux: &specs.Linux{}}
			err := i.Prepare(c, isolator.Demand{}, spec)
			if (err != nil) != tt.fails {
				t.Fatal(err)
			}
			if tt.fails {
				return
			}
			namespace := nodes
			for _, n := range spec.Linux.Namespaces {
				if namespace = n.Path; n.Path == "" {
					namespace = own
				}
			}
			if namespace != tt.namespace {
				t.Errorf("its namespace is %q, want %q", namespace, tt.namespace)
			}
			shm := ""
			for _, m := range spec.Mounts {
				shm = "default"
				if n := slices.IndexFunc(m.Options, func(o string) bool { return len(o) > 5 && o[:5] == "size=" }); n >= 0 {
					shm = m.Options[n]
				}
			}
			if shm != tt.shm {
				t.Errorf("its /dev/shm is %q, want %q", shm, tt.shm)
			}
		})
	}
}
