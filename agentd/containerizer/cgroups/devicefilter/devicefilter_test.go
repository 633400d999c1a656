package devicefilter

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cilium/ebpf/asm"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

var (
	nothing = specs.LinuxDeviceCgroup{Access: "rwm"}
	null    = func(allow bool, access string) specs.LinuxDeviceCgroup {
		return specs.LinuxDeviceCgroup{Allow: allow, Type: "c", Major: new(int64(1)), Minor: new(int64(3)), Access: access}
	}
	memory = func(access string) specs.LinuxDeviceCgroup { // any device of that major number
		return specs.LinuxDeviceCgroup{Allow: true, Type: "c", Major: new(int64(1)), Access: access}
	}
)

// filters are rules, and what may be done then with /dev/null and /dev/zero.
var filters = map[string]struct {
	rules []specs.LinuxDeviceCgroup
	want  string
}{
	"none":                        {nil, "null:r null:w zero:r zero:w"},
	"everything forbidden":        {[]specs.LinuxDeviceCgroup{nothing}, ""},
	"one device":                  {[]specs.LinuxDeviceCgroup{nothing, null(true, "rw")}, "null:r null:w"},
	"one device, one access":      {[]specs.LinuxDeviceCgroup{nothing, null(true, "r")}, "null:r"},
	"any minor number":            {[]specs.LinuxDeviceCgroup{nothing, memory("w")}, "null:w zero:w"},
	"access adds up":              {[]specs.LinuxDeviceCgroup{nothing, null(true, "r"), memory("r"), null(true, "w")}, "null:r null:w zero:r"},
	"the last one decides":        {[]specs.LinuxDeviceCgroup{nothing, memory("rw"), null(false, "w")}, "null:r zero:r zero:w"},
	"forbidden, then all allowed": {[]specs.LinuxDeviceCgroup{nothing, {Allow: true, Access: "rwm"}}, "null:r null:w zero:r zero:w"},
	"another kind":                {[]specs.LinuxDeviceCgroup{nothing, {Allow: true, Type: "b", Major: new(int64(1)), Access: "rwm"}}, ""},
}

// TestRootFilter opens devices in a group of the unified hierarchy, which needn't
// have controllers for it.
func TestRootFilter(t *testing.T) {
	dir := unified(t)
	if err := Supported(); err != nil {
		t.Skipf("needs device filters: %v", err)
	}
	for name, tt := range filters {
		t.Run(name, func(t *testing.T) {
			if err := Set(dir, tt.rules); err != nil {
				t.Fatal(err)
			}
			if got := opened(t, dir); got != tt.want {
				t.Errorf("a process may %q, want %q", got, tt.want)
			}
		})
	}
	group, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer group.Close()
	left, err := attached(group)
	defer closeAll(left)
	if err != nil || len(left) != 1 {
		t.Errorf("%d programs are attached (%v), want the last one alone", len(left), err)
	}
}

// unified makes a group in the unified hierarchy.
func unified(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: makes cgroups")
	}
	for _, at := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		if _, err := os.Stat(filepath.Join(at, "cgroup.subtree_control")); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Skip(err)
		} else if err != nil {
			continue
		}
		dir := filepath.Join(at, fmt.Sprintf("mesos-test-filter-%d", os.Getpid()))
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Skipf("needs cgroups that can be written: %v", err)
		}
		t.Cleanup(func() {
			if err := os.Remove(dir); err != nil {
				t.Error(err)
			}
		})
		return dir
	}
	t.Skip("needs the unified cgroup hierarchy")
	return ""
}

// opened says what a process of the group may open for what.
func opened(t *testing.T, dir string) string {
	t.Helper()
	script := `echo $$ > ` + filepath.Join(dir, "cgroup.procs") + `
for d in null zero; do
	(: < /dev/$d) 2>&- && echo $d:r
	(: >> /dev/$d) 2>&- && echo $d:w
done
true`
	cmd := exec.Command("/bin/sh", "-c", script)
	in, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	cmd.Stdin = in
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(strings.Fields(string(out)), " ")
}

func TestBadRules(t *testing.T) {
	for name, r := range map[string]specs.LinuxDeviceCgroup{
		"type":   {Type: "x", Access: "r"},
		"access": {Type: "c", Access: "rx"},
		"number": {Type: "c", Major: new(int64(1 << 40)), Access: "r"},
	} {
		if _, err := Compile([]specs.LinuxDeviceCgroup{r}); err == nil {
			t.Errorf("%s: %+v was compiled", name, r)
		}
	}
}

// TestLabels: every jump has its target, whatever the number of rules.
func TestLabels(t *testing.T) {
	for n := range 30 {
		var rules []specs.LinuxDeviceCgroup
		for i := range n {
			rules = append(rules, specs.LinuxDeviceCgroup{Allow: i%2 == 0, Type: "c", Major: new(int64(i)), Access: "rw"})
		}
		code, err := Compile(rules)
		if err != nil {
			t.Fatal(err)
		}
		targets := code.ReferenceOffsets()
		labels, err := code.SymbolOffsets()
		if err != nil {
			t.Fatal(err)
		}
		for name := range targets {
			if _, ok := labels[name]; !ok {
				t.Errorf("%s rules: no label %s", strconv.Itoa(n), name)
			}
		}
		if !slices.ContainsFunc(code, func(i asm.Instruction) bool { return i.OpCode.JumpOp() == asm.Exit }) {
			t.Errorf("%d rules: the program doesn't end", n)
		}
	}
}
