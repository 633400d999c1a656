package mesos

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// shared is a persistent volume that several containers may have at once.
func shared(id string) *mesos.Resource {
	r := scalar("disk", 1)
	r.Reservations = []*mesos.Resource_ReservationInfo{{Role: new("web")}}
	r.Shared = &mesos.Resource_SharedInfo{}
	r.Disk = &mesos.Resource_DiskInfo{
		Persistence: &mesos.Resource_DiskInfo_Persistence{Id: &id},
		Volume:      &mesos.Volume{ContainerPath: new("data"), Mode: mesos.Volume_RW.Enum()},
	}
	return r
}

func grouped(t *testing.T, cfg *Config) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: becomes other users")
	}
	cfg.VolumeGIDs = "[71000-71009]"
	for dir := cfg.WorkDir; dir != "/"; dir = filepath.Dir(dir) {
		if info, err := os.Stat(dir); err == nil && info.Mode().Perm()&0o001 == 0 {
			if err := os.Chmod(dir, info.Mode().Perm()|0o011); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestRootSharedVolume: tasks of two users write into one volume, and into each other's
// directories of it, without either of them owning it.
func TestRootSharedVolume(t *testing.T) {
	privileged(t, func(t *testing.T, cfg Config) {
		grouped(t, &cfg)
		cfg.Isolation = append(cfg.Isolation, "filesystem/posix")
		m := agent(t, cfg)
		volume := filepath.Join(cfg.WorkDir, "volumes/roles/web/v")
		if err := os.MkdirAll(volume, 0o755); err != nil {
			t.Fatal(err)
		}
		as := func(id, user, script string) containerizer.Config {
			c := sh(t, cfg, id, script)
			c.User = user
			c.Resources = append(c.Resources, shared("v"))
			who, err := m.resolve(user)
			if err != nil {
				t.Skip(err)
			}
			if err := os.Chown(c.Sandbox, int(who.UID), int(who.GID)); err != nil {
				t.Fatal(err)
			}
			return c
		}
		a := as("a", "nobody", "mkdir data/a && chmod g+w data/a && echo hello > data/a/f && echo wrote; sleep 600")
		launch(t, m, a)
		if got := printed(t, a.Sandbox, "wrote\n"); got != "wrote\n" {
			t.Fatalf("it printed %q; stderr %s", got, read(t, a, "stderr"))
		}
		b := as("b", "daemon", "cat data/a/f; echo more > data/a/g && stat -c %g data/a/g; id -G | tr ' ' '\\n' | grep 71000")
		launch(t, m, b)
		wait(t, m, b.ID)
		if got, want := read(t, b, "stdout"), "hello\n71000\n71000\n"; got != want {
			t.Errorf("it printed %q, want %q; stderr %s", got, want, read(t, b, "stderr"))
		}
	})
}

// TestRootSharedSandbox: a nested container of another user writes into the directory of
// its parent's sandbox that it is to share.
func TestRootSharedSandbox(t *testing.T) {
	cfg := config(t, variants[2])
	grouped(t, &cfg)
	var err error
	if cfg.Isolation, err = Isolators("cgroups/cpu,cgroups/mem,filesystem/linux"); err != nil {
		t.Fatal(err)
	}
	m := agent(t, cfg)
	root := sh(t, cfg, "root", "sleep 600")
	launch(t, m, root)
	child := below(root, "child", "echo hello > data/f && echo wrote")
	child.User = "nobody"
	child.Container = volumes(&mesos.Volume{
		ContainerPath: new("data"), Mode: mesos.Volume_RW.Enum(),
		Source: &mesos.Volume_Source{Type: mesos.Volume_Source_SANDBOX_PATH.Enum(), SandboxPath: &mesos.Volume_Source_SandboxPath{
			Type: mesos.Volume_Source_SandboxPath_PARENT.Enum(), Path: new("shared"),
		}},
	})
	launch(t, m, child)
	wait(t, m, child.ID)
	if got := read(t, child, "stdout"); got != "wrote\n" {
		t.Errorf("it printed %q; stderr %s", got, read(t, child, "stderr"))
	}
	gauges := func() (free float64) {
		m.Gauges(func(name string, value float64) {
			if strings.HasSuffix(name, "_free") {
				free = value
			}
		})
		return free
	}
	if got := gauges(); got != 9 {
		t.Errorf("%v groups are free", got)
	}
	if err := m.Destroy(deadline(t), root.ID); err != nil {
		t.Fatal(err)
	}
	if got := gauges(); got != 10 {
		t.Errorf("%v groups are free after the end", got)
	}
}
