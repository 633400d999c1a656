package docker

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// ErrUnsupported is the error about an option that can't be honoured.
var ErrUnsupported = errors.New("this option of docker run is not supported")

// parameter takes one of docker.parameters, an option of "docker run" without its dashes.
// Some of them name a network.
func (p *Plan) parameter(parameter *mesos.Parameter, network *string) error {
	key, value := parameter.GetKey(), parameter.GetValue()
	if key == "net" || key == "network" {
		*network = value
		return nil
	}
	if fixed, ok := only[key]; ok {
		for _, f := range fixed {
			if f == value {
				return nil
			}
		}
		return fmt.Errorf("%q: only %s is supported", value, strings.Join(fixed, " or "))
	}
	set, ok := options[key]
	if !ok {
		return ErrUnsupported
	}
	return set(p, value)
}

// only are options of which but some values are supported: those that ask for what is so.
var only = map[string][]string{
	"cgroupns":         {"host"},
	"init":             {"true", "false"}, // the agent's executor reaps what is left in the container
	"log-driver":       {"none"},          // output is in the sandbox, and nowhere else
	"platform":         {"linux"},
	"restart":          {"no"},
	"rm":               {"true", "false"}, // the container always goes, its sandbox stays
	"userns":           {"host"},
	"oom-kill-disable": {"false"},
}

// options are those that are honoured.
var options = map[string]func(p *Plan, value string) error{
	"add-host":      func(p *Plan, v string) error { return host(&p.Hosts, v) },
	"c":             cpuShares,
	"cap-add":       func(p *Plan, v string) error { return capability(&p.CapAdd, v) },
	"cap-drop":      func(p *Plan, v string) error { return capability(&p.CapDrop, v) },
	"cpu-shares":    cpuShares,
	"device":        device,
	"dns":           list(func(p *Plan) *[]string { return &p.DNS.Servers }),
	"dns-opt":       list(func(p *Plan) *[]string { return &p.DNS.Options }),
	"dns-option":    list(func(p *Plan) *[]string { return &p.DNS.Options }),
	"dns-search":    list(func(p *Plan) *[]string { return &p.DNS.Search }),
	"e":             variable,
	"entrypoint":    func(p *Plan, v string) error { p.Entrypoint = &v; return nil },
	"env":           variable,
	"group-add":     list(func(p *Plan) *[]string { return &p.Groups }),
	"h":             func(p *Plan, v string) error { p.Hostname = v; return nil },
	"hostname":      func(p *Plan, v string) error { p.Hostname = v; return nil },
	"ipc":           func(p *Plan, v string) error { return shared(&p.HostIPC, v, "private", "shareable") },
	"l":             label,
	"label":         label,
	"oom-score-adj": oomScore,
	"pid":           func(p *Plan, v string) error { return shared(&p.HostPID, v) },
	"privileged":    flag(func(p *Plan) *bool { return &p.Privileged }),
	"read-only":     flag(func(p *Plan) *bool { return &p.ReadOnly }),
	"security-opt":  securityOption,
	"shm-size":      shmSize,
	"stop-signal":   func(p *Plan, v string) error { return stopSignal(&p.StopSignal, v) },
	"sysctl":        sysctl,
	"tmpfs":         tmpfs,
	"uts":           func(p *Plan, v string) error { return shared(&p.HostUTS, v) },
	"u":             func(p *Plan, v string) error { p.User = &v; return nil },
	"ulimit":        ulimit,
	"user":          func(p *Plan, v string) error { p.User = &v; return nil },
	"v":             func(p *Plan, v string) error { return p.bind(v) },
	"volume":        func(p *Plan, v string) error { return p.bind(v) },
	"w":             workdir,
	"workdir":       workdir,
}

func list(of func(*Plan) *[]string) func(*Plan, string) error {
	return func(p *Plan, v string) error {
		if v == "" || strings.ContainsAny(v, " \n") {
			return fmt.Errorf("%q: want one word", v)
		}
		*of(p) = append(*of(p), v)
		return nil
	}
}

func flag(of func(*Plan) *bool) func(*Plan, string) error {
	return func(p *Plan, v string) error {
		on, err := strconv.ParseBool(v)
		if err != nil {
			return fmt.Errorf("%q: want true or false", v)
		}
		*of(p) = on
		return nil
	}
}

// shared reads a choice between the node's namespace and one of the container's own.
func shared(into *bool, value string, own ...string) error {
	switch value {
	case "host":
		*into = true
		return nil
	case "":
		return nil
	}
	for _, o := range own {
		if value == o {
			return nil
		}
	}
	return fmt.Errorf("%q: only the node's namespace (host) or one of the container's own is supported", value)
}

func variable(p *Plan, v string) error {
	if name, _, ok := strings.Cut(v, "="); !ok || name == "" {
		return fmt.Errorf("%q: want name=value", v)
	}
	p.Env = append(p.Env, v)
	return nil
}

func label(p *Plan, v string) error {
	name, value, _ := strings.Cut(v, "=")
	if name == "" {
		return fmt.Errorf("%q: want name=value", v)
	}
	p.Labels[name] = value
	return nil
}

func workdir(p *Plan, v string) error {
	if !filepath.IsAbs(v) {
		return fmt.Errorf("%q: want an absolute path", v)
	}
	p.WorkingDir = &v
	return nil
}

// host checks a line for /etc/hosts: a name and, after the first colon, an address.
func host(into *[]string, v string) error {
	name, address, ok := strings.Cut(v, ":")
	if !ok || name == "" || address == "" || strings.ContainsAny(v, " \t\n") {
		return fmt.Errorf("%q: want name:address", v)
	}
	*into = append(*into, v)
	return nil
}

func cpuShares(p *Plan, v string) error {
	n, err := strconv.ParseUint(v, 10, 64)
	if err != nil || n < 2 {
		return fmt.Errorf("%q: want a number, at least 2", v)
	}
	p.CPUShares = &n
	return nil
}

func oomScore(p *Plan, v string) error {
	n, err := strconv.Atoi(v)
	if err != nil || n < -1000 || n > 1000 {
		return fmt.Errorf("%q: want a number from -1000 to 1000", v)
	}
	p.OOMScoreAdj = &n
	return nil
}

func shmSize(p *Plan, v string) error {
	n, err := bytesOf(v)
	if err != nil || n <= 0 {
		return fmt.Errorf("%q: want a size such as 128m", v)
	}
	p.ShmSize = n
	return nil
}

// units are Docker's: powers of 1024.
var units = map[byte]int64{'b': 1, 'k': 1 << 10, 'm': 1 << 20, 'g': 1 << 30, 't': 1 << 40}

func bytesOf(text string) (int64, error) {
	text = strings.ToLower(text)
	factor := int64(1)
	if len(text) > 1 && text[len(text)-1] == 'b' && units[text[len(text)-2]] > 1 {
		text = text[:len(text)-1] // as in "kb"
	}
	if len(text) > 0 && units[text[len(text)-1]] > 0 {
		factor, text = units[text[len(text)-1]], text[:len(text)-1]
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err == nil && n > (1<<62)/factor {
		err = strconv.ErrRange
	}
	return n * factor, err
}

func device(p *Plan, v string) error {
	parts := strings.Split(v, ":")
	d := Device{Path: parts[0], Inside: parts[0], Access: "rwm"}
	switch {
	case len(parts) == 2 && strings.Trim(parts[1], "rwm") == "" && parts[1] != "":
		d.Access = parts[1]
	case len(parts) >= 2:
		d.Inside = parts[1]
	}
	if len(parts) == 3 {
		d.Access = parts[2]
	}
	if len(parts) > 3 || !filepath.IsAbs(d.Path) || !filepath.IsAbs(d.Inside) || d.Access == "" || strings.Trim(d.Access, "rwm") != "" {
		return fmt.Errorf("%q: want /dev/on-the-node[:/dev/in-the-container][:rwm]", v)
	}
	p.Devices = append(p.Devices, d)
	return nil
}

func sysctl(p *Plan, v string) error {
	name, value, ok := strings.Cut(v, "=")
	if !ok || name == "" {
		return fmt.Errorf("%q: want name=value", v)
	}
	if p.Sysctl == nil {
		p.Sysctl = map[string]string{}
	}
	p.Sysctl[name] = value
	return nil
}

func tmpfs(p *Plan, v string) error {
	path, more, _ := strings.Cut(v, ":")
	if !filepath.IsAbs(path) {
		return fmt.Errorf("%q: want an absolute path", v)
	}
	m := specs.Mount{Destination: filepath.Clean(path), Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "nodev", "noexec"}}
	for option := range strings.SplitSeq(more, ",") {
		name, _, _ := strings.Cut(option, "=")
		switch name {
		case "":
		case "rw", "ro", "exec", "noexec", "suid", "nosuid", "dev", "nodev", "size", "mode", "uid", "gid", "nr_inodes", "nr_blocks", "noatime":
			m.Options = append(m.Options, option)
		default:
			return fmt.Errorf("%q: option %q is not supported", v, option)
		}
	}
	p.Tmpfs = append(p.Tmpfs, m)
	return nil
}

// ulimit reads name=soft[:hard]; -1 is no limit.
func ulimit(p *Plan, v string) error {
	name, value, _ := strings.Cut(v, "=")
	soft, hard, both := strings.Cut(value, ":")
	if !both {
		hard = soft
	}
	if !rlimits[name] {
		return fmt.Errorf("%q: there is no such limit", v)
	}
	s, err1 := strconv.ParseInt(soft, 10, 64)
	h, err2 := strconv.ParseInt(hard, 10, 64)
	if err := errors.Join(err1, err2); err != nil || s < -1 || h < -1 || uint64(s) > uint64(h) {
		return fmt.Errorf("%q: want name=soft[:hard], with numbers", v)
	}
	p.Rlimits = append(p.Rlimits, specs.POSIXRlimit{Type: "RLIMIT_" + strings.ToUpper(name), Soft: uint64(s), Hard: uint64(h)})
	return nil
}

// rlimits are Docker's names of limits: those of setrlimit(2).
var rlimits = map[string]bool{
	"core": true, "cpu": true, "data": true, "fsize": true, "locks": true, "memlock": true, "msgqueue": true, "nice": true,
	"nofile": true, "nproc": true, "rss": true, "rtprio": true, "rttime": true, "sigpending": true, "stack": true,
}

func securityOption(p *Plan, v string) error {
	name, value, ok := strings.Cut(strings.Replace(v, ":", "=", 1), "=")
	switch {
	case name == "no-new-privileges":
		if !ok {
			value = "true"
		}
		return flag(func(p *Plan) *bool { return &p.NoNewPrivileges })(p, value)
	case name == "seccomp" && value == "unconfined":
		p.Unconfined = true
		return nil
	case name == "apparmor" && value == "unconfined", name == "label" && value == "disable":
		return nil // no container has a profile or label
	}
	return fmt.Errorf("%q: want no-new-privileges, seccomp=unconfined, apparmor=unconfined or label=disable", v)
}
