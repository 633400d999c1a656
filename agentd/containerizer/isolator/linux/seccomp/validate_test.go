package seccomp

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	profiles "github.com/moby/profiles/seccomp"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// rule is a profile with one rule, whose fields are as given.
func rule(fields string) string {
	return `{"defaultAction": "SCMP_ACT_ERRNO", "archMap": [], "syscalls": [{` + fields + `}]}`
}

func TestValidate(t *testing.T) {
	const names = `"names": ["accept"], "action": "SCMP_ACT_ALLOW"`
	arg := func(format string, args ...any) string {
		return rule(names + `, "args": [` + fmt.Sprintf(format, args...) + `]`)
	}
	arches := func(text string) string {
		return `{"defaultAction": "SCMP_ACT_ERRNO", "archMap": [` + text + `], "syscalls": []}`
	}
	tests := map[string]struct {
		profile string
		about   string // what the error names; empty for none
	}{
		"one rule":                     {profile: rule(names)},
		"no rules":                     {profile: arches("")},
		"an architecture":              {profile: arches(`{"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"]}`)},
		"an argument":                  {profile: arg(`{"index": 0, "value": 2080505856, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}`)},
		"conditions":                   {profile: rule(names + `, "includes": {"arches": ["amd64", "x32"]}, "excludes": {"caps": ["CAP_SYS_ADMIN", "CAP_BPF"]}`)},
		"nothing":                      {profile: `{}`, about: "defaultAction"},
		"null":                         {profile: `null`, about: "defaultAction"},
		"not JSON":                     {profile: `{`, about: "JSON"},
		"no default action":            {profile: `{"syscalls": []}`, about: "defaultAction"},
		"an unknown default action":    {profile: `{"defaultAction": "SCMP_ACT_NO", "syscalls": []}`, about: "SCMP_ACT_NO"},
		"no list of rules":             {profile: `{"defaultAction": "SCMP_ACT_ERRNO"}`, about: "syscalls"},
		"an unknown architecture":      {profile: arches(`{"architecture": "SCMP_ARCH_NO"}`), about: "SCMP_ARCH_NO"},
		"an unknown sub-architecture":  {profile: arches(`{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_NO"]}`), about: "SCMP_ARCH_NO"},
		"a rule that is null":          {profile: `{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [null]}`, about: "names"},
		"a rule without names":         {profile: rule(`"action": "SCMP_ACT_ALLOW"`), about: "names"},
		"an empty name":                {profile: rule(`"names": [""], "action": "SCMP_ACT_ALLOW"`), about: "names"},
		"a rule without action":        {profile: rule(`"names": ["accept"]`), about: "action"},
		"an unknown action":            {profile: rule(`"names": ["accept"], "action": "SCMP_ACT_NO"`), about: "SCMP_ACT_NO"},
		"an argument without operator": {profile: arg(`{"index": 0}`), about: "operator"},
		"an unknown operator":          {profile: arg(`{"index": 0, "op": "SCMP_CMP_NO"}`), about: "SCMP_CMP_NO"},
		"a seventh argument":           {profile: arg(`{"index": 6, "op": "SCMP_CMP_EQ"}`), about: "arguments"},
		"an unknown condition":         {profile: rule(names + `, "excludes": {"arches": ["vax"]}`), about: "vax"},
		"an unknown capability":        {profile: rule(names + `, "includes": {"caps": ["CAP_NO"]}`), about: "CAP_NO"},
		"a capability without prefix":  {profile: rule(names + `, "includes": {"caps": ["SYS_ADMIN"]}`), about: "SYS_ADMIN"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := validate([]byte(tt.profile))
			switch {
			case tt.about == "":
				if err != nil {
					t.Error(err)
				}
			case !errors.Is(err, ErrProfile) || !strings.Contains(err.Error(), tt.about):
				t.Errorf("error %v, want one about %s", err, tt.about)
			}
		})
	}
}

// TestInvalidDefault: a default profile that can't be used is found when the agent starts.
func TestInvalidDefault(t *testing.T) {
	dir := profileDir(t)
	if err := os.WriteFile(filepath.Join(dir, "empty.json"), []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"bad.json", "empty.json"} {
		if _, err := New(Config{Dir: dir, Default: name}); !errors.Is(err, ErrProfile) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestDockersProfile: the profile that most people begin with is taken.
func TestDockersProfile(t *testing.T) {
	data, err := json.Marshal(profiles.DefaultProfile())
	if err != nil {
		t.Fatal(err)
	}
	if err := validate(data); err != nil {
		t.Error(err)
	}
}

// TestRules: what a container gets of a profile depends on its capabilities and on the
// machine; architectures of other machines are left out.
func TestRules(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("the profile is written for amd64")
	}
	const profile = `{
		"defaultAction": "SCMP_ACT_ERRNO",
		"archMap": [
			{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"]},
			{"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"]}
		],
		"syscalls": [
			{"names": ["accept", "writev"], "action": "SCMP_ACT_ALLOW", "args": [], "includes": {}, "excludes": {}},
			{"names": ["clone"], "action": "SCMP_ACT_ALLOW",
			 "args": [{"index": 0, "value": 2080505856, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}],
			 "includes": {}, "excludes": {"caps": ["CAP_SYS_ADMIN"], "arches": ["s390", "s390x"]}},
			{"names": ["ours"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["amd64", "x32"]}},
			{"names": ["not ours"], "action": "SCMP_ACT_ALLOW", "excludes": {"arches": ["amd64"]}},
			{"names": ["theirs"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["s390"]}},
			{"names": ["both"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN", "CAP_BPF"]}},
			{"names": ["old"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "3.0"}},
			{"names": ["future"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "200.0"}}
		]
	}`
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "p.json"), []byte(profile), 0o644); err != nil {
		t.Fatal(err)
	}
	i, err := New(Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ bounding, calls []string }{
		"no capabilities":  {calls: []string{"accept", "writev", "clone", "ours", "old"}},
		"one of two":       {bounding: []string{"CAP_SYS_ADMIN"}, calls: []string{"accept", "writev", "ours", "old"}},
		"both":             {bounding: []string{"CAP_BPF", "CAP_SYS_ADMIN"}, calls: []string{"accept", "writev", "ours", "both", "old"}},
		"one of no matter": {bounding: []string{"CAP_KILL"}, calls: []string{"accept", "writev", "clone", "ours", "old"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := i.load("p.json", &specs.Spec{Process: &specs.Process{Capabilities: &specs.LinuxCapabilities{Bounding: tt.bounding}}})
			if err != nil {
				t.Fatal(err)
			}
			var calls []string
			for _, s := range got.Syscalls {
				calls = append(calls, s.Names...)
				if slices.Contains(s.Names, "clone") {
					want := []specs.LinuxSeccompArg{{Value: 2080505856, Op: specs.OpMaskedEqual}}
					if diff := cmp.Diff(want, s.Args); diff != "" {
						t.Errorf("arguments (-want +got):\n%s", diff)
					}
				}
			}
			if diff := cmp.Diff(tt.calls, calls); diff != "" {
				t.Errorf("system calls (-want +got):\n%s", diff)
			}
			arches := []specs.Arch{specs.ArchX86_64, specs.ArchX86, specs.ArchX32}
			if diff := cmp.Diff(arches, got.Architectures); diff != "" {
				t.Errorf("architectures (-want +got):\n%s", diff)
			}
		})
	}
}
