package docker

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// standard are the capabilities of a container that asks for nothing, as Docker documents them.
var standard = []string{
	"CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_MKNOD",
	"CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT",
}

const all = "ALL"

// capability takes the name of a capability, with or without its prefix. Whether the kernel has
// it is seen when the container is made.
func capability(into *[]string, name string) error {
	name = strings.ToUpper(name)
	if name == "" || strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789") != "" {
		return fmt.Errorf("%q: want the name of a capability", name)
	}
	if name != all && !strings.HasPrefix(name, "CAP_") {
		name = "CAP_" + name
	}
	*into = append(*into, name)
	return nil
}

// Capabilities are the kernel's names of those that the container has, of those that the agent
// can give. Asking for another one is an error.
func (p *Plan) Capabilities(granted []string) ([]string, error) {
	if p.Privileged {
		return slices.Clone(granted), nil
	}
	var out []string
	switch {
	case slices.Contains(p.CapAdd, all):
		out = slices.Clone(granted)
	case slices.Contains(p.CapDrop, all):
	default:
		out = slices.DeleteFunc(slices.Clone(standard), func(c string) bool { return !slices.Contains(granted, c) })
	}
	for _, c := range p.CapAdd {
		if c != all && !slices.Contains(granted, c) {
			return nil, fmt.Errorf("%w: parameter 'cap-add': the agent can't give the capability %s", ErrInvalid, c)
		}
		if c != all && !slices.Contains(out, c) {
			out = append(out, c)
		}
	}
	out = slices.DeleteFunc(out, func(c string) bool { return slices.Contains(p.CapDrop, c) })
	slices.Sort(out)
	return out, nil
}

// stopSignal checks the name or number of a signal and keeps its number.
func stopSignal(into *string, text string) error {
	n, err := SignalNumber(text)
	if err != nil {
		return err
	}
	*into = strconv.Itoa(n)
	return nil
}

// SignalNumber reads a signal as images and "docker run" name it: a number, or a name with or
// without SIG.
func SignalNumber(text string) (int, error) {
	if n, err := strconv.Atoi(text); err == nil && n > 0 && n <= 64 {
		return n, nil
	}
	name := strings.ToUpper(text)
	if !strings.HasPrefix(name, "SIG") {
		name = "SIG" + name
	}
	if n := unix.SignalNum(name); n != 0 {
		return int(n), nil
	}
	if after, ok := strings.CutPrefix(name, "SIGRTMIN"); ok {
		n := 0
		if after != "" {
			var err error
			if n, err = strconv.Atoi(strings.TrimPrefix(after, "+")); err != nil || n < 0 || n > 30 {
				return 0, fmt.Errorf("%q is no signal", text)
			}
		}
		return 34 + n, nil // the first that the C library leaves to programs
	}
	return 0, fmt.Errorf("%q is no signal", text)
}
