package posix

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/launch"
)

func TestCheck(t *testing.T) {
	tests := map[string]struct {
		spec specs.Spec
		bad  bool
	}{
		"plain":     {spec: specs.Spec{Process: &specs.Process{}, Linux: &specs.Linux{}}},
		"image":     {spec: specs.Spec{Process: &specs.Process{}, Root: &specs.Root{}}, bad: true},
		"volume":    {spec: specs.Spec{Process: &specs.Process{}, Mounts: []specs.Mount{{}}}, bad: true},
		"namespace": {spec: specs.Spec{Process: &specs.Process{}, Linux: &specs.Linux{Namespaces: []specs.LinuxNamespace{{}}}}, bad: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if err := New(nil).Check(&test.spec); errors.Is(err, containerizer.ErrUnsupported) != test.bad {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestCommandOf(t *testing.T) {
	p := &specs.Process{
		Args: []string{"a"}, Env: []string{"A=1"}, Cwd: "/d", OOMScoreAdj: new(7),
		User:    specs.User{UID: 4294967294, GID: 2, AdditionalGids: []uint32{3}},
		Rlimits: []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: 1, Hard: 2}},
	}
	want := &launch.Command{
		Args: []string{"a"}, Env: []string{"A=1"}, Dir: "/d", OOMScoreAdj: new(7),
		SwitchUser: true, UID: 4294967294, GID: 2, Groups: []uint32{3},
		Rlimits: []launch.Rlimit{{Resource: 7, Soft: 1, Hard: 2}},
	}
	got, err := commandOf(p)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	p.Rlimits[0].Type = "RLIMIT_NONSENSE"
	if _, err := commandOf(p); !errors.Is(err, containerizer.ErrUnsupported) {
		t.Errorf("error %v", err)
	}
}
