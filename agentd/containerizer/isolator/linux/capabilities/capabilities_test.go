package capabilities

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

func set(cs ...mesos.CapabilityInfo_Capability) *mesos.CapabilityInfo {
	return &mesos.CapabilityInfo{Capabilities: cs}
}

const (
	chown = mesos.CapabilityInfo_CHOWN
	kill  = mesos.CapabilityInfo_KILL
	raw   = mesos.CapabilityInfo_NET_RAW
)

func TestSets(t *testing.T) {
	all := func(effective, bounding []string) *specs.LinuxCapabilities {
		return &specs.LinuxCapabilities{Bounding: bounding, Effective: effective, Permitted: effective, Inheritable: effective, Ambient: effective}
	}
	type names = []string
	tests := map[string]struct {
		cfg   Config
		asked *mesos.LinuxInfo
		uid   uint32
		want  *specs.LinuxCapabilities
		fails bool
	}{
		"nobody says anything": {},
		"the agent's":          {cfg: Config{Effective: set(chown), Bounding: set(chown, kill)}, want: all(names{"CAP_CHOWN"}, names{"CAP_CHOWN", "CAP_KILL"})},
		"effective bounds too": {cfg: Config{Effective: set(kill, chown, kill)}, want: all(names{"CAP_CHOWN", "CAP_KILL"}, names{"CAP_CHOWN", "CAP_KILL"})},
		"bound only, root": {cfg: Config{Bounding: set(kill)}, want: &specs.LinuxCapabilities{
			Bounding: names{"CAP_KILL"}, Effective: names{"CAP_KILL"}, Permitted: names{"CAP_KILL"}}},
		"bound only, other user": {cfg: Config{Bounding: set(kill)}, uid: 1, want: &specs.LinuxCapabilities{Bounding: names{"CAP_KILL"}}},
		"asked for":              {cfg: Config{Effective: set(chown), Bounding: set(chown, kill)}, asked: &mesos.LinuxInfo{EffectiveCapabilities: set(kill)}, want: all(names{"CAP_KILL"}, names{"CAP_CHOWN", "CAP_KILL"})},
		"asked for, old field":   {asked: &mesos.LinuxInfo{CapabilityInfo: set(kill)}, want: all(names{"CAP_KILL"}, names{"CAP_KILL"})},
		"none at all":            {asked: &mesos.LinuxInfo{EffectiveCapabilities: set()}, want: all(names{}, names{})},
		"both fields":            {asked: &mesos.LinuxInfo{CapabilityInfo: set(kill), EffectiveCapabilities: set(kill)}, fails: true},
		"more than allowed":      {cfg: Config{Bounding: set(chown)}, asked: &mesos.LinuxInfo{EffectiveCapabilities: set(raw)}, fails: true},
		"a wider bound":          {cfg: Config{Bounding: set(chown)}, asked: &mesos.LinuxInfo{BoundingCapabilities: set(chown, raw)}, fails: true},
		"more than its bound":    {asked: &mesos.LinuxInfo{BoundingCapabilities: set(chown), EffectiveCapabilities: set(raw)}, fails: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			i, err := New(tt.cfg)
			if err != nil {
				t.Fatal(err)
			}
			c := &isolator.Container{Config: containerizer.Config{Container: &mesos.ContainerInfo{LinuxInfo: tt.asked}}}
			spec := &specs.Spec{Process: &specs.Process{User: specs.User{UID: tt.uid}}}
			err = i.Prepare(c, isolator.Demand{}, spec)
			if (err != nil) != tt.fails {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, spec.Process.Capabilities); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if _, err := New(Config{Effective: set(raw), Bounding: set(kill)}); err == nil {
		t.Error("flags that contradict each other were taken")
	}
}
