package mesos

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/testkit/images"
)

// dockerConfig is that of an agent with Docker containers whose --isolation knows nothing of
// images, and a registry for it.
func dockerConfig(t testing.TB) (Config, *images.Registry) {
	t.Helper()
	cfg := config(t, variants[1])
	cfg.Docker.Enabled = true
	cfg.Images.Providers = []mesos.Image_Type{mesos.Image_DOCKER}
	cfg.Images.Docker.Dir = filepath.Join(t.TempDir(), "store")
	return cfg, images.NewRegistry(t)
}

// inDocker makes a container one of type DOCKER; change may add to what it asks for.
func inDocker(c containerizer.Config, image string, change func(*mesos.ContainerInfo)) containerizer.Config {
	c.Container = &mesos.ContainerInfo{
		Type: mesos.ContainerInfo_DOCKER.Enum(), Docker: &mesos.ContainerInfo_DockerInfo{Image: &image},
	}
	if change != nil {
		change(c.Container)
	}
	return c
}

// parameters are options of docker run, in the form key=value.
func parameters(list ...string) func(*mesos.ContainerInfo) {
	return func(c *mesos.ContainerInfo) {
		for _, p := range list {
			key, value, _ := strings.Cut(p, "=")
			c.Docker.Parameters = append(c.Docker.Parameters, &mesos.Parameter{Key: &key, Value: &value})
		}
	}
}

// TestDocker runs containers of type DOCKER and looks at them from inside.
func TestDocker(t *testing.T) {
	cfg, registry := dockerConfig(t)
	ref := registry.Push(t, "tool", images.Of(t, v1.Config{
		Env: []string{"FROM=image", "MINE=image"}, WorkingDir: "/work", User: "app:team", Entrypoint: []string{"/bin/sh", "-c"}, Cmd: []string{"echo default $FROM"},
	}, images.Shell(t), images.Layer(t, images.File{Name: "work/"}, images.File{Name: "etc/passwd", Contents: "root:x:0:0::/root:/bin/sh\napp:x:1234:1234::/home/app:/bin/sh\n", Mode: 0o644},
		images.File{Name: "etc/group", Contents: "team:x:77:\nmore:x:78:app\n", Mode: 0o644})))
	host := t.TempDir()
	if err := os.WriteFile(filepath.Join(host, "file"), []byte("node\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	root := parameters("user=root")
	also := func(fs ...func(*mesos.ContainerInfo)) func(*mesos.ContainerInfo) {
		return func(c *mesos.ContainerInfo) {
			for _, f := range fs {
				f(c)
			}
		}
	}
	tests := map[string]struct {
		script  string // "" for the image's own command
		change  func(*mesos.ContainerInfo)
		command *mesos.CommandInfo
		want    string
	}{
		"the image's command":    {want: "default image\n"},
		"arguments":              {command: &mesos.CommandInfo{Shell: new(false), Arguments: []string{"echo theirs"}}, want: "theirs\n"},
		"a value is an argument": {command: &mesos.CommandInfo{Shell: new(false), Value: new("echo value $0"), Arguments: []string{"x"}}, want: "value x\n"},
		"entry point": {change: parameters("entrypoint=/bin/cat"),
			command: &mesos.CommandInfo{Shell: new(false), Arguments: []string{"/etc/group"}}, want: "team:x:77:\nmore:x:78:app\n"},
		"who, where, what": {script: `id -u; id -g; pwd; echo $MINE $MESOS_SANDBOX $MESOS_CONTAINER_NAME`, want: "1234\n77\n/work\nimage /mnt/mesos/sandbox mesos-CONTAINER\n"},
		"sees itself only": {script: `cat /proc/1/comm; set -- /proc/[0-9]*; [ $# -lt 4 ] && echo few`, want: "sh\nfew\n"},
		"capabilities":     {script: `grep CapBnd /proc/self/status`, change: root, want: "CapBnd:\t00000000a80425fb\n"},
		"dropped":          {script: `grep CapEff /proc/self/status`, change: also(root, parameters("cap-drop=ALL", "cap-add=chown")), want: "CapEff:\t0000000000000001\n"},
		"privileged": {script: `ls /dev/loop-control /dev/kmsg 2>/dev/null | grep -c dev; (echo 60 > /proc/sys/vm/swappiness) && echo written`,
			change: also(root, func(c *mesos.ContainerInfo) { c.Docker.Privileged = new(true) }), want: "\nwritten\n"},
		"no devices of the node": {script: `ls /dev/kmsg 2>/dev/null; (echo 60 > /proc/sys/vm/swappiness) 2>/dev/null || echo protected`, change: root, want: "protected\n"},
		"a device":               {script: `ls /dev/mine && cat /dev/mine > /dev/null && echo opened`, change: also(root, parameters("device=/dev/null:/dev/mine:r")), want: "/dev/mine\nopened\n"},
		"environment":            {script: `echo $A $B`, change: parameters("env=A=1", "e=B=2 3"), want: "1 2 3\n"},
		"read-only": {script: `touch /x 2>/dev/null || echo read-only; touch /scratch/x $MESOS_SANDBOX/x && echo written`,
			change: also(root, parameters("read-only=true", "tmpfs=/scratch:size=1m")), want: "read-only\nwritten\n"},
		"shared memory":     {script: `grep /dev/shm /proc/mounts | grep -o 'size=[0-9]*k'`, change: parameters("shm-size=8m"), want: "size=8192k\n"},
		"limits":            {script: `ulimit -n`, change: parameters("ulimit=nofile=123:456"), want: "123\n"},
		"no new privileges": {script: `grep NoNewPrivs /proc/self/status`, change: parameters("security-opt=no-new-privileges"), want: "NoNewPrivs:\t1\n"},
		"working directory": {script: `pwd`, change: parameters("workdir=/made/for/it"), want: "/made/for/it\n"},
		"hosts":             {script: `grep elsewhere /etc/hosts; cat /etc/resolv.conf | grep 192.0.2.7`, change: parameters("add-host=elsewhere:192.0.2.1", "dns=192.0.2.7"), want: "192.0.2.1\telsewhere\nnameserver 192.0.2.7\n"},
		"volumes": {
			script: `cat /node/file; (echo x > /node/file) 2>/dev/null || echo read-only; echo in > /rel/in; cat $MESOS_SANDBOX/sub/in; ls /made; cat $MESOS_SANDBOX/relative/node/file`,
			change: also(root, func(c *mesos.ContainerInfo) {
				c.Volumes = []*mesos.Volume{
					{HostPath: &host, ContainerPath: new("/node"), Mode: mesos.Volume_RO.Enum()},
					{HostPath: new("sub"), ContainerPath: new("/rel"), Mode: mesos.Volume_RW.Enum()},
					{HostPath: &host, ContainerPath: new("relative/node"), Mode: mesos.Volume_RO.Enum()},
					{HostPath: new(filepath.Join(host, "new")), ContainerPath: new("/made"), Mode: mesos.Volume_RW.Enum()},
				}
			}), want: "node\nread-only\nin\nnode\n"},
		"volume parameter": {script: `cat /node/file`, change: also(root, parameters("volume="+host+":/node:ro")), want: "node\n"},
		"hostname": {script: `hostname; cat /etc/hostname; grep -c : /proc/net/dev`, change: func(c *mesos.ContainerInfo) {
			c.Hostname, c.Docker.Network = new("box"), mesos.ContainerInfo_DockerInfo_NONE.Enum()
		}, want: "box\nbox\n1\n"},
	}
	m := agent(t, cfg)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			id := strings.NewReplacer(" ", "-", "'", "", ",", "").Replace(name)
			c := inDocker(sh(t, cfg, id, tt.script), ref, tt.change)
			switch {
			case tt.command != nil:
				c.Command = tt.command
			case tt.script == "":
				c.Command = &mesos.CommandInfo{Shell: new(false)}
			}
			launch(t, m, c)
			if end := wait(t, m, c.ID); end.Status == nil {
				t.Errorf("ended %+v: %s", end, read(t, c, "stderr"))
			}
			out, want := read(t, c, "stdout"), strings.ReplaceAll(tt.want, "CONTAINER", id)
			if _, rest, ok := strings.Cut(out, "\n"); ok && strings.HasPrefix(want, "\n") { // some number, then
				out = "\n" + rest
			}
			if out != want {
				t.Errorf("stdout %q, want %q; stderr %q", out, want, read(t, c, "stderr"))
			}
		})
	}
	nothingProvisioned(t, cfg)
	if left, err := os.ReadDir(filepath.Join(cfg.RuntimeDir, "docker")); err != nil || len(left) > 0 {
		t.Errorf("left are %v, error %v", left, err)
	}
}

// TestDockerRefused has containers that can't be as they are asked for, each told by its name.
func TestDockerRefused(t *testing.T) {
	cfg, registry := dockerConfig(t)
	ref := registry.Push(t, "tool", images.Of(t, v1.Config{}, images.Shell(t)))
	m := agent(t, cfg)
	for want, change := range map[string]func(*mesos.ContainerInfo){
		"parameter 'log-opt'":           parameters("log-opt=max-size=1m"),
		"this agent has no network 'x'": parameters("net=x"),
		"no network BRIDGE":             func(c *mesos.ContainerInfo) { c.Docker.Network = mesos.ContainerInfo_DockerInfo_BRIDGE.Enum() },
		"user \"nobody-here\"":          parameters("user=nobody-here"),
		"/dev/no-such":                  parameters("device=/dev/no-such"),
	} {
		_, err := m.Launch(deadline(t), inDocker(sh(t, cfg, "c", "true"), ref, change))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	nothingProvisioned(t, cfg)
	plain := agent(t, config(t, variants[1]))
	if _, err := plain.Launch(deadline(t), inDocker(sh(t, cfg, "c", "true"), ref, nil)); err == nil || !strings.Contains(err.Error(), "type DOCKER") {
		t.Errorf("an agent without them: %v", err)
	}
}
