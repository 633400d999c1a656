package seccomp

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	profiles "github.com/moby/profiles/seccomp"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// ErrProfile is wrapped by the error about a profile that no container can run with. Mesos
// refuses the same ones, those of the default profile when the agent starts: a runtime would
// find fault only with the first container.
var ErrProfile = errors.New("invalid seccomp profile")

// The words of profiles that Mesos knows or Docker has added since.
var (
	actions = []specs.LinuxSeccompAction{
		specs.ActKill, specs.ActKillProcess, specs.ActKillThread, specs.ActTrap, specs.ActErrno,
		specs.ActTrace, specs.ActAllow, specs.ActLog, specs.ActNotify,
	}
	operators = []specs.LinuxSeccompOperator{
		specs.OpNotEqual, specs.OpLessThan, specs.OpLessEqual, specs.OpEqualTo, specs.OpGreaterEqual,
		specs.OpGreaterThan, specs.OpMaskedEqual,
	}
	architectures = []specs.Arch{
		specs.ArchX86, specs.ArchX86_64, specs.ArchX32, specs.ArchARM, specs.ArchAARCH64, specs.ArchMIPS,
		specs.ArchMIPS64, specs.ArchMIPS64N32, specs.ArchMIPSEL, specs.ArchMIPSEL64, specs.ArchMIPSEL64N32,
		specs.ArchPPC, specs.ArchPPC64, specs.ArchPPC64LE, specs.ArchS390, specs.ArchS390X, specs.ArchPARISC,
		specs.ArchPARISC64, specs.ArchRISCV64, specs.ArchLOONGARCH64, specs.ArchM68K, specs.ArchSH, specs.ArchSHEB,
	}
	// conditions are the architectures by the names of includes and excludes.
	conditions = []string{
		"x86", "amd64", "x32", "arm", "arm64", "mips", "mipsel", "mips64", "mipsel64", "mips64n32", "mipsel64n32",
		"ppc", "ppc64", "ppc64le", "s390", "s390x", "riscv64", "loong64", "loongarch64",
	}
)

// maxArgument is the last argument of a system call that a rule can look at.
const maxArgument = 5

// validate looks at all of a profile, also at what is for other machines or capabilities.
func validate(data []byte) error {
	var p profiles.Seccomp
	if err := json.Unmarshal(data, &p); err != nil {
		return fmt.Errorf("%w: %w", ErrProfile, err)
	}
	if err := known("defaultAction", actions, p.DefaultAction); err != nil {
		return err
	}
	if p.Syscalls == nil {
		return fmt.Errorf("%w: syscalls are missing", ErrProfile)
	}
	for _, a := range p.ArchMap {
		if err := known("architecture", architectures, append([]specs.Arch{a.Arch}, a.SubArches...)...); err != nil {
			return err
		}
	}
	if err := known("architecture", architectures, p.Architectures...); err != nil {
		return err
	}
	for n, rule := range p.Syscalls {
		if err := validateRule(rule); err != nil {
			return fmt.Errorf("rule %d: %w", n, err)
		}
	}
	return nil
}

func validateRule(rule *profiles.Syscall) error {
	if rule == nil || len(rule.Names) == 0 || slices.Contains(rule.Names, "") {
		return fmt.Errorf("%w: names are missing", ErrProfile)
	}
	if err := known("action", actions, rule.Action); err != nil {
		return err
	}
	for _, arg := range rule.Args {
		if arg.Index > maxArgument {
			return fmt.Errorf("%w: a system call has the arguments 0 to %d", ErrProfile, maxArgument)
		}
		if err := known("operator", operators, arg.Op); err != nil {
			return err
		}
	}
	for _, filter := range []*profiles.Filter{rule.Includes, rule.Excludes} {
		if filter == nil {
			continue
		}
		if err := known("architecture", conditions, filter.Arches...); err != nil {
			return err
		}
		for _, name := range filter.Caps {
			if err := capability(name); err != nil {
				return err
			}
		}
	}
	return nil
}

// capability takes those of Mesos, and those that the kernel has got since.
func capability(name string) error {
	bare, ok := strings.CutPrefix(name, "CAP_")
	_, known := mesos.CapabilityInfo_Capability_value[bare]
	known = known && bare != "UNKNOWN" || slices.Contains([]string{"PERFMON", "BPF", "CHECKPOINT_RESTORE"}, bare)
	if !ok || !known {
		return fmt.Errorf("%w: unknown capability %q", ErrProfile, name)
	}
	return nil
}

// known says which of some words is none of a profile's.
func known[T ~string](what string, words []T, used ...T) error {
	for _, w := range used {
		if !slices.Contains(words, w) {
			return fmt.Errorf("%w: unknown %s %q", ErrProfile, what, w)
		}
	}
	return nil
}
