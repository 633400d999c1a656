package docker

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"google.golang.org/protobuf/testing/protocmp"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// asked is what a framework asks for: an image, and what change adds.
func asked(change func(*mesos.ContainerInfo)) *mesos.ContainerInfo {
	c := &mesos.ContainerInfo{Type: mesos.ContainerInfo_DOCKER.Enum(), Docker: &mesos.ContainerInfo_DockerInfo{Image: new("tool:1")}}
	if change != nil {
		change(c)
	}
	return c
}

func with(list ...string) func(*mesos.ContainerInfo) {
	return func(c *mesos.ContainerInfo) {
		for _, p := range list {
			key, value, _ := strings.Cut(p, "=")
			c.Docker.Parameters = append(c.Docker.Parameters, &mesos.Parameter{Key: &key, Value: &value})
		}
	}
}

func on(network mesos.ContainerInfo_DockerInfo_Network) func(*mesos.ContainerInfo) {
	return func(c *mesos.ContainerInfo) { c.Docker.Network = &network }
}

var ports = []*mesos.Resource{{
	Name: new("ports"), Type: mesos.Value_RANGES.Enum(),
	Ranges: &mesos.Value_Ranges{Range: []*mesos.Value_Range{{Begin: new(uint64(31000)), End: new(uint64(31005))}}},
}}

func mapping(host, container uint32, protocol string) func(*mesos.ContainerInfo) {
	return func(c *mesos.ContainerInfo) {
		on(mesos.ContainerInfo_DockerInfo_BRIDGE)(c)
		m := &mesos.ContainerInfo_DockerInfo_PortMapping{HostPort: &host, ContainerPort: &container}
		if protocol != "" {
			m.Protocol = &protocol
		}
		c.Docker.PortMappings = append(c.Docker.PortMappings, m)
	}
}

func TestTranslate(t *testing.T) {
	plain := func() *Plan {
		return &Plan{
			Image:   &mesos.Image{Type: mesos.Image_DOCKER.Enum(), Cached: new(true), Docker: &mesos.Image_Docker{Name: new("tool:1")}},
			ShmSize: DefaultShmSize, Labels: map[string]string{},
		}
	}
	tests := map[string]struct {
		change func(*mesos.ContainerInfo)
		want   func(*Plan)
	}{
		"an image":    {nil, func(*Plan) {}},
		"a fresh one": {func(c *mesos.ContainerInfo) { c.Docker.ForcePullImage = new(true) }, func(p *Plan) { p.Image.Cached = new(false) }},
		"privileged":  {func(c *mesos.ContainerInfo) { c.Docker.Privileged = new(true) }, func(p *Plan) { p.Privileged = true }},
		"none":        {on(mesos.ContainerInfo_DockerInfo_NONE), func(p *Plan) { p.Network = NetworkNone }},
		"a named network that is there": {func(c *mesos.ContainerInfo) {
			on(mesos.ContainerInfo_DockerInfo_USER)(c)
			c.NetworkInfos = []*mesos.NetworkInfo{{Name: new("bridge")}}
		}, func(p *Plan) { p.Network = NetworkBridge }},
		"ports": {func(c *mesos.ContainerInfo) { mapping(31000, 80, "")(c); mapping(31005, 53, "UDP")(c) }, func(p *Plan) {
			p.Network, p.Ports = NetworkBridge, []Port{{31000, 80, "tcp"}, {31005, 53, "udp"}}
		}},
		"a parameter's network": {with("net=none", "hostname=box"), func(p *Plan) { p.Network, p.Hostname = NetworkNone, "box" }},
		"volumes": {func(c *mesos.ContainerInfo) {
			c.Volumes = []*mesos.Volume{{HostPath: new("/a"), ContainerPath: new("b"), Mode: mesos.Volume_RO.Enum()}}
			with("volume=/c:/d:ro", "v=/e:/f")(c)
		}, func(p *Plan) {
			p.Volumes = []*mesos.Volume{
				{HostPath: new("/a"), ContainerPath: new("b"), Mode: mesos.Volume_RO.Enum()},
				{HostPath: new("/c"), ContainerPath: new("/d"), Mode: mesos.Volume_RO.Enum()},
				{HostPath: new("/e"), ContainerPath: new("/f"), Mode: mesos.Volume_RW.Enum()},
			}
		}},
		"who and what": {with("user=1:2", "workdir=/w", "entrypoint=", "env=A=b=c", "label=x=y", "l=z", "group-add=7", "stop-signal=QUIT"), func(p *Plan) {
			p.User, p.WorkingDir, p.Entrypoint = new("1:2"), new("/w"), new("")
			p.Env, p.Labels, p.Groups, p.StopSignal = []string{"A=b=c"}, map[string]string{"x": "y", "z": ""}, []string{"7"}, "3"
		}},
		"confinement": {with("cap-add=net_admin", "cap-drop=CAP_CHOWN", "security-opt=no-new-privileges", "security-opt=seccomp=unconfined", "read-only=true", "pid=host", "ipc=host", "uts=host"), func(p *Plan) {
			p.CapAdd, p.CapDrop, p.NoNewPrivileges, p.Unconfined, p.ReadOnly = []string{"CAP_NET_ADMIN"}, []string{"CAP_CHOWN"}, true, true, true
			p.HostPID, p.HostIPC, p.HostUTS = true, true, true
		}},
		"devices": {with("device=/dev/a", "device=/dev/b:r", "device=/dev/c:/dev/d", "device=/dev/e:/dev/f:rw"), func(p *Plan) {
			p.Devices = []Device{{"/dev/a", "/dev/a", "rwm"}, {"/dev/b", "/dev/b", "r"}, {"/dev/c", "/dev/d", "rwm"}, {"/dev/e", "/dev/f", "rw"}}
		}},
		"limits": {with("ulimit=nofile=1:2", "ulimit=core=-1", "shm-size=1g", "cpu-shares=512", "oom-score-adj=-5", "tmpfs=/t:size=1m,exec", "sysctl=net.core.somaxconn=5"), func(p *Plan) {
			p.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: 1, Hard: 2}, {Type: "RLIMIT_CORE", Soft: 1<<64 - 1, Hard: 1<<64 - 1}}
			p.ShmSize, p.CPUShares, p.OOMScoreAdj = 1<<30, new(uint64(512)), new(-5)
			p.Tmpfs = []specs.Mount{{Destination: "/t", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "nodev", "noexec", "size=1m", "exec"}}}
			p.Sysctl = map[string]string{"net.core.somaxconn": "5"}
		}},
		"names": {with("add-host=a:1.2.3.4", "dns=8.8.8.8", "dns-search=x.y", "dns-opt=ndots:2", "dns-option=rotate"), func(p *Plan) {
			p.Hosts, p.DNS = []string{"a:1.2.3.4"}, DNS{[]string{"8.8.8.8"}, []string{"x.y"}, []string{"ndots:2", "rotate"}}
		}},
		"what is so in any case": {with("rm=true", "init=true", "restart=no", "userns=host", "security-opt=apparmor=unconfined", "ipc=private"), func(*Plan) {}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Translate(asked(tt.change), ports)
			if err != nil {
				t.Fatal(err)
			}
			want := plain()
			tt.want(want)
			if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}

// TestRefused has an error for everything that can't be honoured, which names it.
func TestRefused(t *testing.T) {
	volume := func(v *mesos.Volume) func(*mesos.ContainerInfo) {
		return func(c *mesos.ContainerInfo) { c.Volumes = []*mesos.Volume{v} }
	}
	tests := map[string]func(*mesos.ContainerInfo){
		"names no image":               func(c *mesos.ContainerInfo) { c.Docker = nil },
		"volume_driver":                func(c *mesos.ContainerInfo) { c.Docker.VolumeDriver = new("rexray") },
		"both relative":                nil,
		"no Docker daemon to have vol": volume(&mesos.Volume{ContainerPath: new("/a"), Source: &mesos.Volume_Source{Type: mesos.Volume_Source_DOCKER_VOLUME.Enum()}}),
		"volume of type SECRET":        volume(&mesos.Volume{ContainerPath: new("/a"), Source: &mesos.Volume_Source{Type: mesos.Volume_Source_SECRET.Enum()}}),
		"no host_path":                 volume(&mesos.Volume{ContainerPath: new("/a")}),
		"network USER needs":           on(mesos.ContainerInfo_DockerInfo_USER),
		"no network 'overlay'":         with("network=overlay"),
		"hostname of its own":          func(c *mesos.ContainerInfo) { c.Hostname = new("box") },
		"for the network BRIDGE":       func(c *mesos.ContainerInfo) { mapping(31000, 80, "")(c); on(mesos.ContainerInfo_DockerInfo_HOST)(c) },
		"port 80 is not among":         mapping(80, 80, ""),
		"protocol 'sctp'":              mapping(31000, 80, "sctp"),
		"numbers from 1":               mapping(31000, 70000, ""),
		"parameter 'memory'":           with("memory=1g"),
		"parameter 'log-opt'":          with("log-opt=a=b"),
		"parameter 'init'":             with("init=maybe"),
		"parameter 'volume'":           with("volume=named:/data"),
		"option \"nocopy\"":            with("volume=/a:/b:nocopy"),
		"parameter 'pid'":              with("pid=container:x"),
		"parameter 'ulimit'":           with("ulimit=bogus=1"),
		"parameter 'device'":           with("device=dev"),
		"parameter 'env'":              with("env=NAME"),
		"parameter 'cap-add'":          with("cap-add=net-admin"),
		"parameter 'security-opt'":     with("security-opt=seccomp=/profile.json"),
		"parameter 'stop-signal'":      with("stop-signal=SIGNOTHING"),
		"parameter 'tmpfs'":            with("tmpfs=/t:bogus"),
		"parameter 'shm-size'":         with("shm-size=big"),
		"parameter 'dns'":              with("dns=a b"),
	}
	tests["both relative"] = volume(&mesos.Volume{HostPath: new("a"), ContainerPath: new("b"), Mode: mesos.Volume_RW.Enum()})
	for want, change := range tests {
		t.Run(want, func(t *testing.T) {
			_, err := Translate(asked(change), ports)
			if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), want) {
				t.Errorf("error %v, want one with %q", err, want)
			}
		})
	}
}

func TestCommand(t *testing.T) {
	tests := map[string]struct {
		plan            Plan
		command         *mesos.CommandInfo
		entrypoint, cmd []string
		want            []string // nil for an error
	}{
		"shell":                    {command: &mesos.CommandInfo{Shell: new(true), Value: new("a b")}, entrypoint: []string{"e"}, want: []string{"/bin/sh", "-c", "a b"}},
		"shell by default":         {command: &mesos.CommandInfo{Value: new("a")}, want: []string{"/bin/sh", "-c", "a"}},
		"shell without a value":    {command: &mesos.CommandInfo{Shell: new(true)}, entrypoint: []string{"e"}},
		"the image's":              {command: &mesos.CommandInfo{Shell: new(false)}, entrypoint: []string{"e"}, cmd: []string{"c"}, want: []string{"e", "c"}},
		"the image's command":      {command: &mesos.CommandInfo{Shell: new(false)}, cmd: []string{"c", "d"}, want: []string{"c", "d"}},
		"arguments":                {command: &mesos.CommandInfo{Shell: new(false), Arguments: []string{"a"}}, entrypoint: []string{"e"}, cmd: []string{"c"}, want: []string{"e", "a"}},
		"arguments alone":          {command: &mesos.CommandInfo{Shell: new(false), Arguments: []string{"a"}}, cmd: []string{"c"}, want: []string{"a"}},
		"a value and arguments":    {command: &mesos.CommandInfo{Shell: new(false), Value: new("v"), Arguments: []string{"a"}}, entrypoint: []string{"e"}, want: []string{"e", "v", "a"}},
		"another entry point":      {plan: Plan{Entrypoint: new("x")}, command: &mesos.CommandInfo{Shell: new(false)}, entrypoint: []string{"e"}, cmd: []string{"c"}, want: []string{"x"}},
		"no entry point":           {plan: Plan{Entrypoint: new("")}, command: &mesos.CommandInfo{Shell: new(false), Arguments: []string{"a"}}, entrypoint: []string{"e"}, want: []string{"a"}},
		"no entry point, nothing":  {plan: Plan{Entrypoint: new("")}, command: &mesos.CommandInfo{Shell: new(false)}, entrypoint: []string{"e"}, cmd: []string{"c"}},
		"nothing":                  {command: &mesos.CommandInfo{Shell: new(false)}},
		"shell and an entry point": {plan: Plan{Entrypoint: new("x")}, command: &mesos.CommandInfo{Value: new("a")}, want: []string{"/bin/sh", "-c", "a"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := tt.plan.Command(tt.command, tt.entrypoint, tt.cmd)
			if (err != nil) != (tt.want == nil) {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got.GetArguments()); diff != "" || err == nil && (got.GetShell() || got.GetValue() != tt.want[0]) {
				t.Errorf("command %v (-want +got):\n%s", got, diff)
			}
		})
	}
}

func TestCapabilities(t *testing.T) {
	granted := append(slices.Clone(standard), "CAP_SYS_ADMIN")
	tests := map[string]struct {
		plan Plan
		want []string // nil for an error
	}{
		"standard":        {Plan{}, standard},
		"one more":        {Plan{CapAdd: []string{"CAP_SYS_ADMIN"}}, slices.Sorted(slices.Values(granted))},
		"all":             {Plan{CapAdd: []string{all}}, slices.Sorted(slices.Values(granted))},
		"privileged":      {Plan{Privileged: true}, granted},
		"none but one":    {Plan{CapDrop: []string{all}, CapAdd: []string{"CAP_CHOWN"}}, []string{"CAP_CHOWN"}},
		"all but one":     {Plan{CapAdd: []string{all}, CapDrop: []string{"CAP_SYS_ADMIN"}}, standard},
		"one not to give": {Plan{CapAdd: []string{"CAP_BPF"}}, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := tt.plan.Capabilities(granted)
			if diff := cmp.Diff(tt.want, got); diff != "" || (err != nil) != (tt.want == nil) {
				t.Errorf("error %v (-want +got):\n%s", err, diff)
			}
		})
	}
}

// FuzzParameter has no option of any value end the agent.
func FuzzParameter(f *testing.F) {
	for key := range options {
		f.Add(key, "a=b:c,d")
		f.Add(key, "")
	}
	f.Fuzz(func(t *testing.T, key, value string) {
		p, err := Translate(asked(with(key+"="+value)), nil)
		if (p == nil) == (err == nil) {
			t.Errorf("plan %v and error %v", p, err)
		}
	})
}
