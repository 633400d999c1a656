package devicefilter

import (
	"errors"
	"fmt"
	"os"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/rlimit"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// license is told to the kernel, whose helpers for programs under the GPL are not used.
const license = "Apache-2.0"

// Supported says why the machine's kernel, or what the agent may do, doesn't
// allow for filters.
func Supported() error {
	p, err := load([]specs.LinuxDeviceCgroup{{Access: "rwm"}})
	if err != nil {
		return err
	}
	return p.Close()
}

func load(rules []specs.LinuxDeviceCgroup) (*ebpf.Program, error) {
	code, err := Compile(rules)
	if err != nil {
		return nil, err
	}
	if err := rlimit.RemoveMemlock(); err != nil { // kernels before 5.11 count programs by it
		return nil, fmt.Errorf("loading a device filter: %w", err)
	}
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "mesos_devices", Type: ebpf.CGroupDevice, AttachType: ebpf.AttachCGroupDevice, Instructions: code, License: license,
	})
	if err != nil {
		return nil, fmt.Errorf("loading a device filter: %w", err)
	}
	return p, nil
}

// Set makes the rules those of a group and of all below it, instead of those that
// were set before. dir is the group's directory in the unified hierarchy. For a moment
// both hold, so nothing is let through that neither of them allows.
func Set(dir string, rules []specs.LinuxDeviceCgroup) error {
	group, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("setting a device filter: %w", err)
	}
	defer group.Close()
	p, err := load(rules)
	if err != nil {
		return err
	}
	defer p.Close()
	before, err := attached(group)
	defer closeAll(before)
	if err != nil {
		return err
	}
	err = link.RawAttachProgram(link.RawAttachProgramOptions{
		Target: int(group.Fd()), Program: p, Attach: ebpf.AttachCGroupDevice, Flags: unix.BPF_F_ALLOW_MULTI,
	})
	if err != nil {
		return fmt.Errorf("setting a device filter: %w", err)
	}
	for _, old := range before {
		err := link.RawDetachProgram(link.RawDetachProgramOptions{
			Target: int(group.Fd()), Program: old, Attach: ebpf.AttachCGroupDevice,
		})
		if err != nil {
			return fmt.Errorf("removing a device filter: %w", err)
		}
	}
	return nil
}

// attached are the programs of the group itself.
func attached(group *os.File) ([]*ebpf.Program, error) {
	list, err := link.QueryPrograms(link.QueryOptions{Target: int(group.Fd()), Attach: ebpf.AttachCGroupDevice})
	if err != nil {
		return nil, fmt.Errorf("looking for device filters: %w", err)
	}
	var out []*ebpf.Program
	for _, one := range list.Programs {
		p, err := ebpf.NewProgramFromID(one.ID)
		if errors.Is(err, os.ErrNotExist) {
			continue
		} else if err != nil {
			return out, fmt.Errorf("looking for device filters: %w", err)
		}
		out = append(out, p)
	}
	return out, nil
}

func closeAll(programs []*ebpf.Program) {
	for _, p := range programs {
		_ = p.Close() // only our handle of it
	}
}
