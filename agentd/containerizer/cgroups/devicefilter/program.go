// Package devicefilter keeps the processes of a cgroup v2 group from devices, which
// v2 has no files for: the rules of a v1 group become a program that the kernel
// runs when a process opens or makes a device. Only package cgroups uses it.
//
// The program stays with the group when the agent ends, and goes with the group.
package devicefilter

import (
	"fmt"
	"math"
	"strconv"

	"github.com/cilium/ebpf/asm"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// The kernel's numbers for what a process wants of which kind of device
// (BPF_DEVCG_* in include/uapi/linux/bpf.h).
const (
	accMknod = 1
	accRead  = 2
	accWrite = 4

	devBlock = 1
	devChar  = 2
)

// Offsets in the program's argument, struct bpf_cgroup_dev_ctx. The upper half of
// the first word is the access, the lower the type.
const (
	offAccessType = 0
	offMajor      = 4
	offMinor      = 8
)

// The program's registers.
const (
	regType   = asm.R2
	regAccess = asm.R3
	regMajor  = asm.R4
	regMinor  = asm.R5
	scratch   = asm.R6
)

// rule is one of the specification's in the kernel's numbers. A negative one is any.
type rule struct {
	allow        bool
	kind         int32
	major, minor int64
	access       int32
}

// parse reads the rules. Access that is allowed to one device by several of them in
// a row adds up, as it does in v1.
func parse(list []specs.LinuxDeviceCgroup) ([]rule, error) {
	var out []rule
	for _, l := range list {
		r := rule{allow: l.Allow, kind: -1, major: -1, minor: -1}
		switch l.Type {
		case "", "a":
		case "b":
			r.kind = devBlock
		case "c", "u":
			r.kind = devChar
		default:
			return nil, fmt.Errorf("device rule of type %q: want a, b or c", l.Type)
		}
		for from, to := range map[*int64]*int64{l.Major: &r.major, l.Minor: &r.minor} {
			if from == nil {
				continue
			}
			if *from > math.MaxInt32 {
				return nil, fmt.Errorf("device rule with the number %d", *from)
			}
			*to = *from
		}
		for _, letter := range l.Access {
			bit, ok := map[rune]int32{'r': accRead, 'w': accWrite, 'm': accMknod}[letter]
			if !ok {
				return nil, fmt.Errorf("device rule for %q: want some of rwm", l.Access)
			}
			r.access |= bit
		}
		out = join(out, r)
	}
	return out, nil
}

func join(rules []rule, r rule) []rule {
	for i := len(rules) - 1; i >= 0 && r.allow && rules[i].allow; i-- {
		if o := rules[i]; o.kind == r.kind && o.major == r.major && o.minor == r.minor {
			rules[i].access |= r.access
			return rules
		}
	}
	return append(rules, r)
}

// Compile makes the program. The last rule that a request matches decides; one that
// matches none is let through, as by a new group of v1.
func Compile(list []specs.LinuxDeviceCgroup) (asm.Instructions, error) {
	rules, err := parse(list)
	if err != nil {
		return nil, err
	}
	p := asm.Instructions{
		asm.LoadMem(regType, asm.R1, offAccessType, asm.Word),
		asm.Mov.Reg32(regAccess, regType),
		asm.And.Imm32(regType, 0xffff),
		asm.RSh.Imm32(regAccess, 16),
		asm.LoadMem(regMajor, asm.R1, offMajor, asm.Word),
		asm.LoadMem(regMinor, asm.R1, offMinor, asm.Word),
	}
	for i := len(rules) - 1; i >= 0; i-- {
		block := rules[i].instructions(label(i - 1))
		block[0] = block[0].WithSymbol(label(i))
		p = append(p, block...)
	}
	return append(p, verdict(true)[0].WithSymbol(label(-1)), verdict(true)[1]), nil
}

// label names a rule; that below the first is the end of the rules.
func label(i int) string { return "rule" + strconv.Itoa(i) }

// instructions decide, or go on at next.
func (r rule) instructions(next string) asm.Instructions {
	// A first instruction that changes nothing carries the label.
	p := asm.Instructions{asm.Mov.Reg32(scratch, regAccess)}
	if r.kind >= 0 {
		p = append(p, asm.JNE.Imm(regType, r.kind, next))
	}
	if r.major >= 0 {
		p = append(p, asm.JNE.Imm(regMajor, int32(r.major), next))
	}
	if r.minor >= 0 {
		p = append(p, asm.JNE.Imm(regMinor, int32(r.minor), next))
	}
	if r.allow { // everything that is wanted
		p = append(p, asm.And.Imm32(scratch, ^r.access), asm.JNE.Imm(scratch, 0, next))
	} else { // anything of it
		p = append(p, asm.And.Imm32(scratch, r.access), asm.JEq.Imm(scratch, 0, next))
	}
	return append(p, verdict(r.allow)...)
}

func verdict(allow bool) asm.Instructions {
	answer := int32(0)
	if allow {
		answer = 1
	}
	return asm.Instructions{asm.Mov.Imm32(asm.R0, answer), asm.Return()}
}
