package cgroups

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/cgroups/devicefilter"
)

// setDevices makes the rules those of the group: each is an exception from those
// before it. Groups below it get what it gets; what it loses they lose by the kernel.
func (g *Group) setDevices(rules []specs.LinuxDeviceCgroup) error {
	if len(rules) == 0 {
		return nil
	}
	if g.tree.version == V2 {
		return g.filterDevices(rules)
	}
	have, err := g.Read("devices", "devices.list")
	if err == nil && !strings.HasPrefix(have, "a ") {
		return g.changeDevices(strings.Split(have, "\n"), rules)
	}
	for _, r := range rules {
		file := "devices.deny"
		if r.Allow {
			file = "devices.allow"
		}
		if err := g.Write("devices", file, exception(r)); err != nil {
			return err
		}
	}
	return nil
}

func (g *Group) filterDevices(rules []specs.LinuxDeviceCgroup) error {
	for _, h := range g.tree.hierarchies {
		if h.Unified {
			return devicefilter.Set(g.dir(h), rules)
		}
	}
	return fmt.Errorf("%w for devices", ErrNoHierarchy)
}

// changeDevices goes from the exceptions of a group that has some to those of the
// rules, which forbid all and then allow. A group with children takes no
// rule about all devices any more.
func (g *Group) changeDevices(have []string, rules []specs.LinuxDeviceCgroup) error {
	var want []string
	for _, r := range rules {
		if r.Allow {
			want = append(want, exception(r))
		}
	}
	for _, e := range have {
		if e != "" && !slices.Contains(want, e) {
			if err := g.Write("devices", "devices.deny", e); err != nil {
				return err
			}
		}
	}
	for _, e := range want {
		if slices.Contains(have, e) {
			continue
		}
		if err := g.allowBelow(e); err != nil {
			return err
		}
	}
	return nil
}

// allowBelow allows a device to the group, and then to those below it, which
// can't have more than it has.
func (g *Group) allowBelow(exception string) error {
	h, err := g.tree.hierarchy("devices")
	if err != nil {
		return err
	}
	var dirs []string
	if err := walk(g.dir(h), func(dir string) error { dirs = append(dirs, dir); return nil }); err != nil {
		return err
	}
	for _, dir := range slices.Backward(dirs) {
		if _, err := os.Stat(dir); err != nil {
			continue // it has ended
		}
		err := writeFile(filepath.Join(dir, "devices.allow"), exception)
		if ignoreGone(err) != nil {
			return fmt.Errorf("allowing device %s to cgroup %s: %w", exception, g.path, err)
		}
	}
	return nil
}

// exception is a rule in the form of devices.list, with r, w and m in that order.
func exception(r specs.LinuxDeviceCgroup) string {
	number := func(n *int64) string {
		if n == nil {
			return "*"
		}
		return signed(n)
	}
	kind, access := r.Type, ""
	if kind == "" {
		kind = "a"
	}
	for _, letter := range "rwm" {
		if strings.ContainsRune(r.Access, letter) {
			access += string(letter)
		}
	}
	return kind + " " + number(r.Major) + ":" + number(r.Minor) + " " + access
}
