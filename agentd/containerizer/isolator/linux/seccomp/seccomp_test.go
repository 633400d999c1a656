package seccomp

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

const strict = `{
	"defaultAction": "SCMP_ACT_ERRNO",
	"archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]}],
	"syscalls": [
		{"names": ["read", "write"], "action": "SCMP_ACT_ALLOW"},
		{"names": ["mount"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}}
	]
}`

func profileDir(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "profiles")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"strict.json": strict, "bad.json": "{", "../outside.json": strict} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestProfiles(t *testing.T) {
	dir := profileDir(t)
	tests := map[string]struct {
		fallback string
		asked    *mesos.SeccompInfo
		caps     *specs.LinuxCapabilities
		calls    []string // nil for no profile
		fails    bool
	}{
		"none":                  {},
		"default":               {fallback: "strict.json", calls: []string{"read", "write", "mount"}},
		"with few capabilities": {fallback: "strict.json", caps: &specs.LinuxCapabilities{}, calls: []string{"read", "write"}},
		"asked for":             {asked: &mesos.SeccompInfo{ProfileName: new("strict.json")}, calls: []string{"read", "write", "mount"}},
		"unconfined":            {fallback: "strict.json", asked: &mesos.SeccompInfo{Unconfined: new(true)}},
		"both":                  {asked: &mesos.SeccompInfo{ProfileName: new("strict.json"), Unconfined: new(true)}, fails: true},
		"neither":               {asked: &mesos.SeccompInfo{}, fails: true},
		"not there":             {asked: &mesos.SeccompInfo{ProfileName: new("no.json")}, fails: true},
		"not JSON":              {asked: &mesos.SeccompInfo{ProfileName: new("bad.json")}, fails: true},
		"outside":               {asked: &mesos.SeccompInfo{ProfileName: new("../outside.json")}, fails: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			i, err := New(Config{Dir: dir, Default: tt.fallback, Granted: []string{"CAP_SYS_ADMIN"}})
			if err != nil {
				t.Fatal(err)
			}
			c := &isolator.Container{Config: containerizer.Config{
				Container: &mesos.ContainerInfo{LinuxInfo: &mesos.LinuxInfo{Seccomp: tt.asked}},
			}}
			spec := &specs.Spec{Process: &specs.Process{Capabilities: tt.caps}, Linux: &specs.Linux{}}
			err = i.Prepare(c, isolator.Demand{}, spec)
			if (err != nil) != tt.fails {
				t.Fatal(err)
			}
			var calls []string
			if spec.Linux.Seccomp != nil {
				for _, s := range spec.Linux.Seccomp.Syscalls {
					calls = append(calls, s.Names...)
				}
			}
			if !slices.Equal(calls, tt.calls) {
				t.Errorf("it allows %q, want %q", calls, tt.calls)
			}
		})
	}
}

func TestConfig(t *testing.T) {
	for name, cfg := range map[string]Config{
		"no directory": {}, "no such profile": {Dir: profileDir(t), Default: "no.json"},
	} {
		if _, err := New(cfg); err == nil {
			t.Errorf("%s: it was taken", name)
		}
	}
}
