package mesos

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/filesystem"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/provisioner"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/provisioner/backend"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/provisioner/store"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/runtime/posix"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/testkit/images"

	appcruntime "github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/appc/runtime"
	dockerruntime "github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/docker/runtime"
	volumeimage "github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/volume/image"
)

// imageConfig is that of an agent with images, and a registry for it.
func imageConfig(t testing.TB, backend string) (Config, *images.Registry) {
	t.Helper()
	cfg := config(t, variants[2])
	isolation, err := Isolators(strings.Join(append(cfg.Isolation, filesystem.Linux, dockerruntime.Name, volumeimage.Name), ","))
	if err != nil {
		t.Fatal(err)
	}
	cfg.Isolation = isolation
	cfg.Images.Providers, cfg.Images.Backend = []mesos.Image_Type{mesos.Image_DOCKER}, backend
	cfg.Images.Docker.Dir = filepath.Join(t.TempDir(), "store")
	return cfg, images.NewRegistry(t)
}

func imageNamed(name string) *mesos.Image {
	return &mesos.Image{Type: mesos.Image_DOCKER.Enum(), Docker: &mesos.Image_Docker{Name: &name}, Cached: new(true)}
}

// withImage gives a container an image.
func withImage(c containerizer.Config, name string, volumes ...*mesos.Volume) containerizer.Config {
	c.Container = &mesos.ContainerInfo{Type: mesos.ContainerInfo_MESOS.Enum(), Volumes: volumes}
	if name != "" {
		c.Container.Mesos = &mesos.ContainerInfo_MesosInfo{Image: imageNamed(name)}
	}
	return c
}

// nothingProvisioned looks for what is left of root file systems.
func nothingProvisioned(t testing.TB, cfg Config) {
	t.Helper()
	if entries, err := os.ReadDir(filepath.Join(cfg.WorkDir, "provisioner", "containers")); err == nil && len(entries) > 0 {
		t.Errorf("root file systems are left: %v", entries)
	}
	if entries, err := os.ReadDir(filepath.Join(cfg.Images.Docker.Dir, "staging")); err == nil && len(entries) > 0 {
		t.Errorf("downloads are left: %v", entries)
	}
}

func TestImageRoot(t *testing.T) {
	for _, name := range []string{backend.Overlay, backend.Copy} {
		t.Run(name, func(t *testing.T) {
			cfg, registry := imageConfig(t, name)
			ref := registry.Push(t, "tool", images.Of(t, v1.Config{Env: []string{"FROM=image", "GREETING=image"}, WorkingDir: "/work"},
				images.Shell(t), images.Layer(t, images.File{Name: "work/"}, images.File{Name: "gone", Contents: "1"}, images.File{Name: "mark", Contents: "1"}),
				images.Layer(t, images.File{Name: ".wh.gone"}, images.File{Name: "mark", Contents: "2"})))
			m := agent(t, cfg)
			c := withImage(sh(t, cfg, "c1", `echo "$(cat /mark) $(pwd) $MESOS_SANDBOX $FROM $GREETING"; [ -e /gone ] && echo gone is there
				[ -e '`+cfg.WorkDir+`' ] && echo the node is there
				echo mine > /mine; echo here > $MESOS_SANDBOX/here; cat /dev/null /proc/self/status >/dev/null && [ -c /dev/null ] && [ -d /sys/kernel ] && echo devices
				echo x 2>/dev/null > /proc/sys/kernel/hostname || echo protected
				[ -s /etc/hosts ] && echo hosts`), ref)
			c.Command.Environment = &mesos.Environment{Variables: []*mesos.Environment_Variable{{Name: new("GREETING"), Value: new("hello")}}}
			launch(t, m, c)
			if end := wait(t, m, c.ID); end.Status == nil || end.Status.ExitStatus() != 0 {
				t.Errorf("ended %+v: %s", end, read(t, c, "stderr"))
			}
			want := "2 /work /mnt/mesos/sandbox image hello\ndevices\nprotected\nhosts\n"
			if out := read(t, c, "stdout"); out != want {
				t.Errorf("stdout %q, want %q", out, want)
			}
			if out := read(t, c, "here"); out != "here\n" {
				t.Errorf("in the sandbox: %q", out)
			}
			nothingProvisioned(t, cfg)
			// What one container changes, the next doesn't see.
			again := withImage(sh(t, cfg, "c2", `[ -e /mine ] || echo clean`), ref)
			launch(t, m, again)
			wait(t, m, again.ID)
			if out := read(t, again, "stdout"); out != "clean\n" {
				t.Errorf("stdout %q", out)
			}
		})
	}
}

// TestImageQuota: what a container changes in its image is of its disk, also for an agent that
// finds it running.
func TestImageQuota(t *testing.T) {
	for name, again := range map[string]bool{"at once": false, "after a restart": true} {
		t.Run(name, func(t *testing.T) {
			cfg, registry := imageConfig(t, backend.Overlay)
			cfg.Isolation = append(cfg.Isolation, "disk/du")
			cfg.Disk.Interval, cfg.Disk.Enforce = 10*time.Millisecond, true
			ref := registry.Push(t, "tool", images.Of(t, v1.Config{}, images.Shell(t), images.Layer(t, images.File{Name: "old", Contents: strings.Repeat("x", 4<<20)})))
			c := withImage(sh(t, cfg, "c1", `echo up > up; while [ ! -e stop ]; do sleep 0.01; done
				i=0; while [ $i -lt 8 ]; do cat /old; i=$((i+1)); done > /big; sleep 60`), ref)
			c.Resources = append(c.Resources, scalar("disk", 16))
			m := agent(t, cfg)
			launch(t, m, c)
			waitFor(t, c, "up")
			if again {
				m.Close()
				m = agent(t, cfg)
				if _, err := m.Recover(deadline(t), []containerizer.Recovered{{Config: c}}); err != nil {
					t.Fatal(err)
				}
			}
			stop(t, c)
			end := wait(t, m, c.ID)
			if len(end.Reasons) != 1 || end.Reasons[0] != mesos.TaskStatus_REASON_CONTAINER_LIMITATION_DISK || !strings.HasSuffix(end.Message, "exceeds quota (16MB)") {
				t.Errorf("it ended with %v: %s", end.Reasons, end.Message)
			}
			nothingProvisioned(t, cfg)
		})
	}
}

// TestImageMasks keeps what concerns the machine from a container that is not of its kind.
func TestImageMasks(t *testing.T) {
	cfg, registry := imageConfig(t, "")
	ref := registry.Push(t, "tool", images.Of(t, v1.Config{}, images.Shell(t)))
	m := agent(t, cfg)
	c := withImage(sh(t, cfg, "c1", `for f in /proc/kcore /proc/keys /proc/timer_list; do [ -s $f ] && [ -e $f ] && cat $f 2>/dev/null | grep -q . && echo $f; done
		ls /sys/firmware; for f in /proc/sys/vm/swappiness /proc/sysrq-trigger; do (echo 60 > $f) 2>/dev/null && echo $f is written; done; echo end`), ref)
	launch(t, m, c)
	wait(t, m, c.ID)
	if out := read(t, c, "stdout"); out != "end\n" {
		t.Errorf("stdout %q", out)
	}
}

// TestImageOfManyLayers has more than fit into the options of a mount by their paths.
func TestImageOfManyLayers(t *testing.T) {
	cfg, registry := imageConfig(t, backend.Overlay)
	layers := []v1.Layer{images.Shell(t)}
	for i := range 120 {
		n := strconv.Itoa(i)
		layers = append(layers, images.Layer(t, images.File{Name: "top", Contents: n + "\n"}, images.File{Name: "many/" + n}))
	}
	ref := registry.Push(t, "many", images.Of(t, v1.Config{}, layers...))
	m := agent(t, cfg)
	c := withImage(sh(t, cfg, "c1", `cat /top; set -- /many/*; echo $#`), ref)
	launch(t, m, c)
	wait(t, m, c.ID)
	if out := read(t, c, "stdout"); out != "119\n120\n" {
		t.Errorf("stdout %q", out)
	}
}

// TestImageFromScratch has an image of one program and nothing else.
func TestImageFromScratch(t *testing.T) {
	cfg, registry := imageConfig(t, "")
	exe, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	ref := registry.Push(t, "scratch", images.Of(t, v1.Config{Entrypoint: []string{"/program"}}, images.Layer(t, images.File{Name: "program", Contents: string(exe)})))
	m := agent(t, cfg)
	c := withImage(sh(t, cfg, "c1", ""), ref)
	c.Command = &mesos.CommandInfo{Shell: new(false), Arguments: []string{"-test.run", "^TestParseNothing$"}}
	launch(t, m, c)
	if end := wait(t, m, c.ID); end.Status == nil || end.Status.ExitStatus() != 0 {
		if strings.Contains(read(t, c, "stderr"), "no such file") {
			t.Skip("this program needs a loader")
		}
		t.Errorf("ended %+v: %s", end, read(t, c, "stderr"))
	}
}

// TestImageUser runs as a user of the node, whatever the image says.
func TestImageUser(t *testing.T) {
	cfg, registry := imageConfig(t, "")
	ref := registry.Push(t, "tool", images.Of(t, v1.Config{User: "12345"}, images.Shell(t)))
	m := agent(t, cfg)
	for user, want := range map[string]string{"": "0\n", "nobody": "65534\n"} {
		c := withImage(sh(t, cfg, "c"+user, `id -u; touch $MESOS_SANDBOX/mine`), ref)
		c.User = user
		if user != "" {
			if err := os.Chown(c.Sandbox, 65534, 65534); err != nil {
				t.Fatal(err)
			}
		}
		launch(t, m, c)
		if end := wait(t, m, c.ID); end.Status == nil || end.Status.ExitStatus() != 0 || read(t, c, "stdout") != want {
			t.Errorf("as %q: ended %+v, stdout %q, stderr %q", user, end, read(t, c, "stdout"), read(t, c, "stderr"))
		}
	}
}

// TestAppcImage runs an AppC image that depends on another.
func TestAppcImage(t *testing.T) {
	cfg, _ := imageConfig(t, "")
	cfg.Isolation = append(cfg.Isolation, appcruntime.Name)
	cfg.Images.Providers = []mesos.Image_Type{mesos.Image_APPC}
	dir := t.TempDir()
	cfg.Images.Appc.Dir, cfg.Images.Appc.Prefix = filepath.Join(t.TempDir(), "store"), dir+"/"
	labels := `"labels": [{"name": "version", "value": "1"}, {"name": "os", "value": "linux"}, {"name": "arch", "value": "amd64"}]`
	write := func(name, more string, files []images.File) {
		t.Helper()
		all := []images.File{{Name: "manifest", Contents: `{"acKind": "ImageManifest", "acVersion": "0.8", "name": "` + name + `", ` + labels + more + `}`}, {Name: "rootfs/"}}
		for _, f := range files {
			f.Name = "rootfs/" + f.Name
			all = append(all, f)
		}
		if err := os.WriteFile(filepath.Join(dir, name+"-1-linux-amd64.aci"), images.Archive(t, all...), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("base", "", images.Programs(t))
	write("tool", `, "dependencies": [{"imageName": "base", `+labels+`}], "app": {"exec": ["/bin/sh", "-c", "echo $FROM $(pwd); cat /mark"],
		"environment": [{"name": "FROM", "value": "image"}], "workingDirectory": "/tmp", "user": "0", "group": "0"}`, []images.File{{Name: "mark", Contents: "tool\n"}})
	m := agent(t, cfg)
	c := withImage(sh(t, cfg, "c1", ""), "")
	c.Command = &mesos.CommandInfo{Shell: new(false)}
	c.Container.Mesos = &mesos.ContainerInfo_MesosInfo{Image: &mesos.Image{Type: mesos.Image_APPC.Enum(), Cached: new(true), Appc: &mesos.Image_Appc{
		Name: new("tool"), Labels: &mesos.Labels{Labels: []*mesos.Label{{Key: new("version"), Value: new("1")}, {Key: new("os"), Value: new("linux")}, {Key: new("arch"), Value: new("amd64")}}},
	}}}
	launch(t, m, c)
	wait(t, m, c.ID)
	if out := read(t, c, "stdout"); out != "image /tmp\ntool\n" {
		t.Errorf("stdout %q, stderr %q", out, read(t, c, "stderr"))
	}
	nothingProvisioned(t, cfg)
}

// TestImageBind has a root that can't be changed, of an image that is made for it.
func TestImageBind(t *testing.T) {
	cfg, registry := imageConfig(t, backend.Bind)
	mountPoints := []images.File{{Name: "mnt/mesos/sandbox/"}, {Name: "proc/"}, {Name: "sys/"}, {Name: "dev/"}}
	ref := registry.Push(t, "ready", images.Of(t, v1.Config{}, images.Layer(t, append(images.Programs(t), mountPoints...)...)))
	bare := registry.Push(t, "bare", images.Of(t, v1.Config{}, images.Shell(t)))
	many := registry.Push(t, "many", images.Of(t, v1.Config{}, images.Shell(t), images.Layer(t, mountPoints...)))
	m := agent(t, cfg)
	c := withImage(sh(t, cfg, "c1", `touch /x 2>/dev/null || echo read-only; echo y > y`), ref)
	launch(t, m, c)
	wait(t, m, c.ID)
	if out := read(t, c, "stdout"); out != "read-only\n" || read(t, c, "y") != "y\n" {
		t.Errorf("stdout %q", out)
	}
	for name, ref := range map[string]string{"c2": bare, "c3": many} {
		if _, err := m.Launch(deadline(t), withImage(sh(t, cfg, name, "true"), ref)); err == nil {
			t.Errorf("%s was launched", ref)
		}
	}
	nothingProvisioned(t, cfg)
}

// TestImageCommand runs what images say, as far as the framework doesn't.
func TestImageCommand(t *testing.T) {
	cfg, registry := imageConfig(t, "")
	shell := images.Shell(t)
	push := func(name string, c v1.Config) string { return registry.Push(t, name, images.Of(t, c, shell)) }
	refs := map[string]string{
		"cmd":   push("cmd", v1.Config{Cmd: []string{"/bin/sh", "-c", `echo "cmd $0"`}}),
		"entry": push("entry", v1.Config{Entrypoint: []string{"sh", "-c"}, Cmd: []string{"echo both"}}),
		"none":  push("none", v1.Config{}),
	}
	tests := map[string]struct {
		image   string
		command *mesos.CommandInfo
		want    string // "" is an error
	}{
		"cmd":                  {"cmd", &mesos.CommandInfo{Shell: new(false)}, "cmd /bin/sh\n"},
		"cmd with arguments":   {"cmd", &mesos.CommandInfo{Shell: new(false), Arguments: []string{"-c", "echo theirs"}}, "theirs\n"},
		"entry point":          {"entry", &mesos.CommandInfo{Shell: new(false)}, "both\n"},
		"entry with arguments": {"entry", &mesos.CommandInfo{Shell: new(false), Arguments: []string{"echo args"}}, "args\n"},
		"a value":              {"entry", &mesos.CommandInfo{Shell: new(false), Value: new("/bin/sh"), Arguments: []string{"sh", "-c", "echo value"}}, "value\n"},
		"a shell command":      {"entry", &mesos.CommandInfo{Shell: new(true), Value: new("echo shell")}, "shell\n"},
		"none":                 {"none", &mesos.CommandInfo{Shell: new(false)}, ""},
		"an empty shell":       {"cmd", &mesos.CommandInfo{Shell: new(true)}, ""},
	}
	m := agent(t, cfg)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := withImage(sh(t, cfg, strings.ReplaceAll(name, " ", "-"), ""), refs[tt.image])
			c.Command = tt.command
			_, err := m.Launch(deadline(t), c)
			if (err == nil) != (tt.want != "") {
				t.Fatal(err)
			}
			if err != nil {
				return
			}
			wait(t, m, c.ID)
			if out := read(t, c, "stdout"); out != tt.want {
				t.Errorf("stdout %q, want %q", out, tt.want)
			}
		})
	}
	nothingProvisioned(t, cfg)
}

func TestImageIgnoredRuntime(t *testing.T) {
	cfg, registry := imageConfig(t, "")
	cfg.Images.Runtime.Ignore = true
	ref := registry.Push(t, "tool", images.Of(t, v1.Config{Env: []string{"FROM=image"}, WorkingDir: "/tmp", Cmd: []string{"sh"}}, images.Shell(t)))
	m := agent(t, cfg)
	c := withImage(sh(t, cfg, "c1", `echo "$(pwd) $FROM"`), ref)
	launch(t, m, c)
	wait(t, m, c.ID)
	if out := read(t, c, "stdout"); out != "/mnt/mesos/sandbox \n" {
		t.Errorf("stdout %q", out)
	}
	c = withImage(sh(t, cfg, "c2", ""), ref)
	c.Command = &mesos.CommandInfo{Shell: new(false)}
	if _, err := m.Launch(deadline(t), c); err == nil {
		t.Error("the image's command was run")
	}
}

// TestImageNested has images in parents and children, and a debug container in each.
func TestImageNested(t *testing.T) {
	cfg, registry := imageConfig(t, "")
	one := registry.Push(t, "one", images.Of(t, v1.Config{Env: []string{"FROM=one"}, WorkingDir: "/work"}, images.Shell(t), images.Layer(t, images.File{Name: "work/one"})))
	two := registry.Push(t, "two", images.Of(t, v1.Config{Env: []string{"FROM=two"}}, images.Shell(t), images.Layer(t, images.File{Name: "two"})))
	m := agent(t, cfg)
	root := withImage(sh(t, cfg, "root", "echo up > $MESOS_SANDBOX/up; sleep 600"), one)
	launch(t, m, root)
	child := withImage(below(root, "child", `ls -d /two /work 2>/dev/null; echo "$(pwd) $FROM"; sleep 600`), two)
	launch(t, m, child)
	plain := below(root, "plain", `[ -d '`+cfg.WorkDir+`' ] && echo the node; sleep 600`)
	launch(t, m, plain)
	if out := waitFor(t, child, "stdout"); out != "/two\n/mnt/mesos/sandbox two\n" {
		t.Errorf("child: %q", out)
	}
	if out := waitFor(t, plain, "stdout"); out != "the node\n" {
		t.Errorf("a child without an image: %q", out)
	}
	look := func(m *Containerizer, parent containerizer.Config, name, want string) {
		t.Helper()
		d := below(parent, name, `echo "$(pwd) $FROM $(ls -d /two /work 2>/dev/null)"`)
		d.Class = containerizer.ClassDebug
		launch(t, m, d)
		out, err := m.AttachOutput(deadline(t), d.ID)
		if err != nil {
			t.Fatal(err)
		}
		defer out.Close()
		wait(t, m, d.ID)
		if got := read(t, d, "stdout"); got != want {
			t.Errorf("debug container in %s: %q, want %q", parent.ID, got, want)
		}
	}
	waitFor(t, root, "up")
	look(m, root, "d1", "/work one /work\n")
	look(m, child, "d2", "/mnt/mesos/sandbox two /two\n")
	if err := m.Destroy(deadline(t), child.ID); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(filepath.Join(cfg.WorkDir, "provisioner/containers/root/containers"))
	if err == nil && len(entries) > 0 {
		t.Errorf("the child's root file system is left: %v", entries)
	}
	if err := m.Destroy(deadline(t), root.ID); err != nil {
		t.Fatal(err)
	}
	nothingProvisioned(t, cfg)
}

func TestImageVolume(t *testing.T) {
	cfg, registry := imageConfig(t, "")
	tool := registry.Push(t, "tool", images.Of(t, v1.Config{}, images.Shell(t)))
	data := registry.Push(t, "data", images.Of(t, v1.Config{}, images.Layer(t, images.File{Name: "base", Contents: "1\n"}), images.Layer(t, images.File{Name: "top", Contents: "2\n"})))
	volume := func(path string, mode mesos.Volume_Mode) *mesos.Volume {
		return &mesos.Volume{ContainerPath: &path, Mode: &mode, Image: imageNamed(data)}
	}
	m := agent(t, cfg)
	script := `cat vol/base vol/top; touch vol/x && echo written; cat ro/base; touch ro/x 2>/dev/null || echo read-only`
	for name, image := range map[string]string{"node": "", "image": tool} {
		t.Run(name, func(t *testing.T) {
			c := withImage(sh(t, cfg, name, script), image, volume("vol", mesos.Volume_RW), volume("ro", mesos.Volume_RO))
			launch(t, m, c)
			wait(t, m, c.ID)
			if out := read(t, c, "stdout"); out != "1\n2\nwritten\n1\nread-only\n" {
				t.Errorf("stdout %q, stderr %q", out, read(t, c, "stderr"))
			}
			if _, err := os.Stat(filepath.Join(c.Sandbox, "vol/base")); err == nil {
				t.Error("the volume is to be seen on the node")
			}
		})
	}
	c := withImage(sh(t, cfg, "absolute", `cat /opt/data/top`), tool, volume("/opt/data", mesos.Volume_RO))
	launch(t, m, c)
	wait(t, m, c.ID)
	if out := read(t, c, "stdout"); out != "2\n" {
		t.Errorf("stdout %q", out)
	}
	parent := sh(t, cfg, "parent", "sleep 600")
	launch(t, m, parent)
	child := withImage(below(parent, "child", `cat vol/top`), "", volume("vol", mesos.Volume_RO))
	launch(t, m, child)
	wait(t, m, child.ID)
	if out := read(t, child, "stdout"); out != "2\n" {
		t.Errorf("nested: stdout %q", out)
	}
	for name, v := range map[string]*mesos.Volume{"absent": volume("/nowhere/on/the/node", mesos.Volume_RO), "up": volume("../x", mesos.Volume_RW)} {
		if _, err := m.Launch(deadline(t), withImage(sh(t, cfg, name, "true"), "", v)); err == nil {
			t.Errorf("%s was launched", name)
		}
	}
	if _, err := m.Launch(deadline(t), withImage(sh(t, cfg, "root", "true"), tool, volume("/", mesos.Volume_RW))); err == nil {
		t.Error("a volume at the root was mounted")
	}
	if err := m.Destroy(deadline(t), parent.ID); err != nil {
		t.Fatal(err)
	}
	nothingProvisioned(t, cfg)
}

// TestImageOtherVolumes has volumes of the node and of the sandbox in a container with an image.
func TestImageOtherVolumes(t *testing.T) {
	cfg, registry := imageConfig(t, "")
	ref := registry.Push(t, "tool", images.Of(t, v1.Config{}, images.Shell(t)))
	host := t.TempDir()
	if err := os.WriteFile(filepath.Join(host, "f"), []byte("host\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	m := agent(t, cfg)
	c := withImage(sh(t, cfg, "c1", `cat /made/by/runtime/f rel/f; echo data > /data/f; echo store > store/f`), ref,
		&mesos.Volume{ContainerPath: new("/made/by/runtime"), Mode: mesos.Volume_RO.Enum(), HostPath: &host},
		&mesos.Volume{ContainerPath: new("rel"), Mode: mesos.Volume_RW.Enum(), HostPath: &host},
		&mesos.Volume{ContainerPath: new("/data"), Mode: mesos.Volume_RW.Enum(), HostPath: new("mydata")})
	volume := filepath.Join(cfg.WorkDir, "volumes/roles/r/v1")
	if err := os.MkdirAll(volume, 0o755); err != nil {
		t.Fatal(err)
	}
	c.Resources = append(c.Resources, &mesos.Resource{
		Name: new("disk"), Type: mesos.Value_SCALAR.Enum(), Scalar: &mesos.Value_Scalar{Value: new(8.0)},
		Reservations: []*mesos.Resource_ReservationInfo{{Type: mesos.Resource_ReservationInfo_DYNAMIC.Enum(), Role: new("r")}},
		Disk: &mesos.Resource_DiskInfo{
			Persistence: &mesos.Resource_DiskInfo_Persistence{Id: new("v1")},
			Volume:      &mesos.Volume{ContainerPath: new("store"), Mode: mesos.Volume_RW.Enum()},
		},
	})
	launch(t, m, c)
	wait(t, m, c.ID)
	if out := read(t, c, "stdout"); out != "host\nhost\n" {
		t.Errorf("stdout %q, stderr %q", out, read(t, c, "stderr"))
	}
	if out := read(t, c, "mydata/f"); out != "data\n" {
		t.Errorf("in the sandbox %q", out)
	}
	if out, err := os.ReadFile(filepath.Join(volume, "f")); string(out) != "store\n" {
		t.Errorf("in the persistent volume %q, %v", out, err)
	}
}

func TestImageRefused(t *testing.T) {
	cfg, registry := imageConfig(t, "")
	ref := registry.Push(t, "tool", images.Of(t, v1.Config{}, images.Shell(t)))
	m := agent(t, cfg)
	for name, tt := range map[string]struct {
		c    containerizer.Config
		want error
	}{
		"unknown": {withImage(sh(t, cfg, "c1", "true"), registry.Host+"/nothing"), store.ErrNotFound},
		"invalid": {withImage(sh(t, cfg, "c2", "true"), "a@b@c"), store.ErrInvalid},
		"volume": {withImage(sh(t, cfg, "c3", "true"), ref, &mesos.Volume{ContainerPath: new("v"), Mode: mesos.Volume_RO.Enum(),
			Image: imageNamed(registry.Host + "/nothing")}), store.ErrNotFound},
		"appc": {func() containerizer.Config {
			c := withImage(sh(t, cfg, "c4", "true"), ref)
			c.Container.Mesos.Image = &mesos.Image{Type: mesos.Image_APPC.Enum(), Appc: &mesos.Image_Appc{Name: new("x")}}
			return c
		}(), provisioner.ErrType},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := m.Launch(deadline(t), tt.c); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
	nothingProvisioned(t, cfg)

	without := config(t, variants[0])
	if _, err := agent(t, without).Launch(deadline(t), withImage(sh(t, without, "c1", "true"), ref)); !errors.Is(err, provisioner.ErrType) || !errors.Is(err, containerizer.ErrUnsupported) {
		t.Errorf("without providers: %v", err)
	}
	cfg.Isolation, cfg.Runtime = []string{filesystem.Posix}, posix.Name
	if err := cfg.Validate(); err == nil {
		t.Error("images without filesystem/linux are accepted")
	}
}

// TestImageDestroyedWhilePulled gives up on a pull.
func TestImageDestroyedWhilePulled(t *testing.T) {
	cfg, registry := imageConfig(t, "")
	ref := registry.Push(t, "tool", images.Of(t, v1.Config{}, images.Shell(t)))
	asked, ended := registry.Hang()
	m := agent(t, cfg)
	c := withImage(sh(t, cfg, "c1", "true"), ref)
	launched := make(chan error, 1)
	go func() { _, err := m.Launch(deadline(t), c); launched <- err }()
	<-asked
	if err := m.Destroy(deadline(t), c.ID); err != nil {
		t.Fatal(err)
	}
	if err := <-launched; !errors.Is(err, containerizer.ErrDestroyed) {
		t.Errorf("launched: %v", err)
	}
	<-ended
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if left, _ := os.ReadDir(filepath.Join(cfg.Images.Docker.Dir, "staging")); len(left) == 0 {
			break
		}
	}
	nothingProvisioned(t, cfg)
}

// TestImageOfKilledAgent has an agent killed while containers with images run. The next
// one takes them over; their files go when they end.
func TestImageOfKilledAgent(t *testing.T) {
	cfg, registry := imageConfig(t, "")
	ref := registry.Push(t, "tool", images.Of(t, v1.Config{Env: []string{"FROM=image"}, WorkingDir: "/work"}, images.Shell(t), images.Layer(t, images.File{Name: "work/f", Contents: "file\n"})))
	script := `echo up > $MESOS_SANDBOX/up; while ! [ -e $MESOS_SANDBOX/go ]; do sleep 0.05; done; cat /work/f; exit 4`
	known, orphan := withImage(sh(t, cfg, "known", script), ref), withImage(sh(t, cfg, "orphan", script), ref)
	killedAgent(t, cfg, known, orphan)
	waitFor(t, known, "up")
	waitFor(t, orphan, "up")
	stray := filepath.Join(cfg.WorkDir, "provisioner/containers/stray/backends/overlay/rootfses/x")
	if err := os.MkdirAll(stray, 0o755); err != nil {
		t.Fatal(err)
	}
	m := agent(t, cfg)
	orphans, err := m.Recover(deadline(t), []containerizer.Recovered{{Config: known}})
	if err != nil || len(orphans) != 1 {
		t.Fatalf("orphans %v, error %v", orphans, err)
	}
	entries, err := os.ReadDir(filepath.Join(cfg.WorkDir, "provisioner/containers"))
	if err != nil || len(entries) != 1 || entries[0].Name() != "known" {
		t.Fatalf("root file systems of %v, error %v", entries, err)
	}
	if err := m.PruneImages(deadline(t), nil); err != nil {
		t.Fatal(err)
	}
	d := below(known, "d", `echo "$(pwd) $FROM"; cat f`)
	d.Class = containerizer.ClassDebug
	launch(t, m, d)
	out, err := m.AttachOutput(deadline(t), d.ID)
	if err != nil {
		t.Fatal(err)
	}
	wait(t, m, d.ID)
	_ = out.Close()
	if got := read(t, d, "stdout"); got != "/work image\nfile\n" {
		t.Errorf("a debug container in it: %q", got)
	}
	if err := os.WriteFile(filepath.Join(known.Sandbox, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if end := wait(t, m, known.ID); end.Status == nil || end.Status.ExitStatus() != 4 {
		t.Errorf("ended %+v", end)
	}
	if out := read(t, known, "stdout"); out != "file\n" {
		t.Errorf("stdout %q: its files are gone", out)
	}
	nothingProvisioned(t, cfg)
}

func TestPruneImages(t *testing.T) {
	cfg, registry := imageConfig(t, "")
	shell := images.Shell(t)
	push := func(n string) string {
		return registry.Push(t, n, images.Of(t, v1.Config{}, shell, images.Layer(t, images.File{Name: n})))
	}
	running, kept, gone, volume := push("running"), push("kept"), push("gone"), push("volume")
	m := agent(t, cfg)
	long := withImage(sh(t, cfg, "long", `echo up > up; while ! [ -e go ]; do sleep 0.05; done; ls /running vol/volume`), running,
		&mesos.Volume{ContainerPath: new("vol"), Mode: mesos.Volume_RO.Enum(), Image: imageNamed(volume)})
	launch(t, m, long)
	for _, ref := range []string{kept, gone} {
		c := withImage(sh(t, cfg, filepath.Base(ref), "true"), ref)
		launch(t, m, c)
		wait(t, m, c.ID)
	}
	waitFor(t, long, "up")
	if err := m.PruneImages(deadline(t), []*mesos.Image{imageNamed(kept)}); err != nil {
		t.Fatal(err)
	}
	layers, err := os.ReadDir(filepath.Join(cfg.Images.Docker.Dir, "layers"))
	if err != nil || len(layers) != 4 { // the shell, and that of running, kept and volume
		t.Errorf("layers %v, error %v", layers, err)
	}
	if err := os.WriteFile(filepath.Join(long.Sandbox, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	wait(t, m, long.ID)
	if out := read(t, long, "stdout"); out != "/running\nvol/volume\n" {
		t.Errorf("stdout %q, stderr %q", out, read(t, long, "stderr"))
	}
	if err := m.PruneImages(deadline(t), nil); err != nil {
		t.Fatal(err)
	}
	if layers, err = os.ReadDir(filepath.Join(cfg.Images.Docker.Dir, "layers")); err != nil || len(layers) != 0 {
		t.Errorf("layers %v, error %v", layers, err)
	}
}
