package mesos

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/namespaces/pid"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/runtime/oci"

	cgcpu "github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/cgroups/cpu"
	cgmem "github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/cgroups/mem"
	posixcpu "github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/posix/cpu"
	posixmem "github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/posix/mem"
)

// kind is an isolator that --isolation can name.
type kind struct {
	name string
	// cgroups says that it needs the Linux launcher, oci that it needs the OCI
	// runtime.
	cgroups, oci bool
	make         func(m *Containerizer) (isolator.Isolator, error)
}

// kinds are in the order in which isolators prepare a container. They clean up
// in the reverse order.
var kinds = []kind{
	{name: filesystemPosix},
	{name: filesystemLinux},
	{name: posixcpu.Name, make: func(*Containerizer) (isolator.Isolator, error) { return posixcpu.New(), nil }},
	{name: posixmem.Name, make: func(*Containerizer) (isolator.Isolator, error) { return posixmem.New(), nil }},
	{name: cgcpu.Name, cgroups: true, make: func(m *Containerizer) (isolator.Isolator, error) { return cgcpu.New(m.cfg.CPU, m.tree) }},
	{name: cgmem.Name, cgroups: true, make: func(m *Containerizer) (isolator.Isolator, error) { return cgmem.New(m.cfg.Mem, m.tree) }},
	{name: pid.Name, oci: true, make: func(*Containerizer) (isolator.Isolator, error) { return pid.New(), nil }},
	{name: environmentSecret},
}

// Isolators of Mesos whose work is done in any case: by the runtimes, and by who
// composes environments.
const (
	filesystemPosix   = "filesystem/posix"
	filesystemLinux   = "filesystem/linux"
	environmentSecret = "environment_secret"
)

// deprecated are names of older Mesos versions for several isolators.
var deprecated = map[string][]string{
	"process": {posixcpu.Name, posixmem.Name},
	"cgroups": {cgcpu.Name, cgmem.Name},
}

// Isolators reads the value of --isolation.
func Isolators(flag string) ([]string, error) {
	var names []string
	for name := range strings.SplitSeq(flag, ",") {
		name = strings.TrimSpace(name)
		if name == "" {
			continue
		}
		expanded, ok := deprecated[name]
		if !ok {
			expanded = []string{name}
		}
		for _, n := range expanded {
			if slices.Contains(names, n) {
				return nil, fmt.Errorf("isolation %q: %s is named twice", flag, n)
			}
			names = append(names, n)
		}
	}
	return names, nil
}

func kindOf(name string) (kind, bool) {
	i := slices.IndexFunc(kinds, func(k kind) bool { return k.name == name })
	if i < 0 {
		return kind{}, false
	}
	return kinds[i], true
}

// NeedOCI says whether one of the isolators works with the OCI runtime only.
func NeedOCI(isolation []string) bool {
	return slices.ContainsFunc(isolation, func(name string) bool {
		k, _ := kindOf(name)
		return k.oci
	})
}

func (c Config) validateIsolation() error {
	var errs []error
	for _, name := range c.Isolation {
		k, ok := kindOf(name)
		switch {
		case !ok:
			errs = append(errs, fmt.Errorf("unknown or unsupported isolator %q: want some of %s", name, names()))
		case k.cgroups && c.Launcher != LauncherLinux:
			errs = append(errs, fmt.Errorf("isolator %s needs the launcher %s", name, LauncherLinux))
		case k.oci && c.Runtime != oci.Name:
			errs = append(errs, fmt.Errorf("isolator %s needs the runtime %s", name, oci.Name))
		}
	}
	return errors.Join(errs...)
}

func names() string {
	var all []string
	for _, k := range kinds {
		all = append(all, k.name)
	}
	return strings.Join(all, ", ")
}

// isolation makes the isolators.
func (m *Containerizer) isolation(context.Context) error {
	for _, k := range kinds {
		if k.make == nil || !slices.Contains(m.cfg.Isolation, k.name) {
			continue
		}
		i, err := k.make(m)
		if err != nil {
			return err
		}
		m.isolators = append(m.isolators, i)
	}
	return nil
}
