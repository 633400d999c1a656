package xfs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/idpool"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/provisioner"
	"github.com/mesos-operator/mesos-operator/agentd/paths"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// mounted makes an XFS file system in a file and mounts it.
func mounted(t *testing.T, options string) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: mounts")
	}
	if _, err := exec.LookPath("mkfs.xfs"); err != nil {
		t.Skip("needs mkfs.xfs")
	}
	dir := t.TempDir()
	image, at := filepath.Join(dir, "image"), filepath.Join(dir, "fs")
	f, err := os.Create(image)
	if err == nil {
		err = errors.Join(f.Truncate(320<<20), f.Close(), os.Mkdir(at, 0o755))
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"mkfs.xfs", "-q", image}, {"mount", "-o", "loop," + options, image, at}} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Skipf("needs loop devices and XFS: %v: %s", err, out)
		}
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", at).CombinedOutput(); err != nil {
			t.Errorf("unmounting: %v: %s", err, out)
		}
	})
	return at
}

func megabytes(n float64) *mesos.Resource {
	return &mesos.Resource{Name: new("disk"), Type: mesos.Value_SCALAR.Enum(), Scalar: &mesos.Value_Scalar{Value: &n}}
}

func persistent(n float64, id string, source *mesos.Resource_DiskInfo_Source) *mesos.Resource {
	r := megabytes(n)
	r.Reservations = []*mesos.Resource_ReservationInfo{{Role: new("a/b")}}
	r.Disk = &mesos.Resource_DiskInfo{
		Source: source, Persistence: &mesos.Resource_DiskInfo_Persistence{Id: &id},
		Volume: &mesos.Volume{ContainerPath: new("data")},
	}
	return r
}

// test is an isolator on a file system of its own.
type test struct {
	*testing.T
	cfg Config
	i   *Isolator
}

func newTest(t *testing.T, change func(c *Config)) *test {
	t.Helper()
	cfg := Config{
		WorkDir: mounted(t, "prjquota"), Range: "[5000-5003]", Headroom: DefaultHeadroom,
		Interval: 10 * time.Millisecond, Reclaim: 10 * time.Millisecond, Log: logr.Discard(),
	}
	if change != nil {
		change(&cfg)
	}
	i, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return &test{t, cfg, i}
}

func (t *test) container(id string) *isolator.Container {
	t.Helper()
	dir := paths.Run(t.cfg.WorkDir, "agent", "framework", "executor", id)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return &isolator.Container{ID: containerizer.ID(id), Config: containerizer.Config{ID: containerizer.ID(id), Sandbox: dir}}
}

func (t *test) prepare(c *isolator.Container, rs ...*mesos.Resource) {
	t.Helper()
	if err := t.i.Prepare(c, isolator.DemandOf(rs, nil), &specs.Spec{}); err != nil {
		t.Fatal(err)
	}
}

func (t *test) free() (free float64) {
	t.i.Gauges(func(name string, value float64) {
		if name == "containerizer/mesos/disk/project_ids_free" {
			free = value
		}
	})
	return free
}

// fill writes megabytes and returns the error of doing so.
func fill(dir, name string, n int) error {
	f, err := os.Create(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, n<<20))
	return errors.Join(err, f.Sync(), f.Close())
}

func (t *test) usage(c *isolator.Container) *mesos.ResourceStatistics {
	t.Helper()
	s := &mesos.ResourceStatistics{}
	if err := t.i.Usage(c, s); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestRootQuota: more than the quota can't be written, by anybody.
func TestRootQuota(t *testing.T) {
	x := newTest(t, func(c *Config) { c.Enforce = true })
	c := x.container("c")
	x.prepare(c, megabytes(3))
	if err := fill(c.Config.Sandbox, "f", 2); err != nil {
		x.Fatal(err)
	}
	if err := fill(c.Config.Sandbox, "g", 2); err == nil || !strings.Contains(err.Error(), "no space") && !strings.Contains(err.Error(), "quota") {
		x.Errorf("writing 4 of 3 MB: %v", err)
	}
	s := x.usage(c)
	if s.GetDiskLimitBytes() != 3<<20 || s.GetDiskUsedBytes() < 2<<20 || s.GetDiskUsedBytes() > 3<<20 {
		x.Errorf("statistics %v", s)
	}
	// More disk is there at once.
	if err := x.i.Update(c, isolator.DemandOf([]*mesos.Resource{megabytes(3), megabytes(7)}, nil), nil); err != nil {
		x.Fatal(err)
	}
	if err := fill(c.Config.Sandbox, "g", 5); err != nil {
		x.Errorf("writing 7 of 10 MB: %v", err)
	}
}

// TestRootAccounting: without enforcement it is counted only.
func TestRootAccounting(t *testing.T) {
	x := newTest(t, nil)
	c := x.container("c")
	x.prepare(c, megabytes(1))
	if err := fill(c.Config.Sandbox, "f", 5); err != nil {
		x.Fatal(err)
	}
	if s := x.usage(c); s.GetDiskUsedBytes() < 5<<20 || s.GetDiskLimitBytes() != 1<<20 {
		x.Errorf("statistics %v", s)
	}
	if l, err := x.i.Watch(x.Context(), c); l != nil || err != nil {
		x.Errorf("watched: %v, %v", l, err)
	}
}

// TestRootKill: with headroom the container can exceed its quota, and is told to have.
func TestRootKill(t *testing.T) {
	volume := persistent(2, "v", nil)
	for name, what := range map[string]struct {
		volume  bool
		message string
	}{"sandbox": {false, "Disk usage (4MB) exceeded quota (2MB)"}, "volume": {true, "Disk usage (4MB) exceeded quota (2MB) for volume 'v'"}} {
		t.Run(name, func(t *testing.T) {
			x := newTest(t, func(c *Config) { c.Enforce, c.Kill = true, true })
			c := x.container("c")
			dir := c.Config.Sandbox
			data := paths.Volume(x.cfg.WorkDir, "a/b", "v")
			if err := os.MkdirAll(data, 0o755); err != nil {
				x.Fatal(err)
			}
			if what.volume {
				dir = data
			}
			x.prepare(c, megabytes(2), volume)
			ctx, cancel := context.WithTimeout(x.Context(), 100*time.Millisecond)
			defer cancel()
			if l, err := x.i.Watch(ctx, c); l != nil || !errors.Is(err, context.DeadlineExceeded) {
				x.Fatalf("below the quota: %v, %v", l, err)
			}
			if err := fill(dir, "f", 4); err != nil {
				x.Fatal(err)
			}
			ctx, cancel = context.WithTimeout(x.Context(), 10*time.Second)
			defer cancel()
			l, err := x.i.Watch(ctx, c)
			if err != nil || l == nil || l.Reason != mesos.TaskStatus_REASON_CONTAINER_LIMITATION_DISK ||
				l.Message != what.message || l.Resources[0].GetScalar().GetValue() != 4 {
				x.Errorf("limitation %+v, %v", l, err)
			}
			if x.i.Limited(c) == nil {
				x.Error("asked afterwards, it was not limited")
			}
			if err := fill(dir, "g", 20); err == nil {
				x.Error("there is no end to the headroom")
			}
		})
	}
}

// TestRootProjects: a directory has its project until it is gone, also in the next life
// of the agent.
func TestRootProjects(t *testing.T) {
	x := newTest(t, func(c *Config) { c.Enforce = true })
	a := x.container("a")
	data := paths.Volume(x.cfg.WorkDir, "a/b", "v")
	if err := os.MkdirAll(filepath.Join(data, "sub"), 0o755); err != nil {
		x.Fatal(err)
	}
	if err := fill(data, "sub/before", 1); err != nil {
		x.Fatal(err)
	}
	if err := os.Symlink("/etc", filepath.Join(data, "elsewhere")); err != nil {
		x.Fatal(err)
	}
	x.prepare(a, megabytes(1), persistent(3, "v", nil))
	if got := x.free(); got != 2 {
		x.Errorf("%v projects are free", got)
	}
	s := x.usage(a)
	if len(s.GetDiskStatistics()) != 1 || s.DiskStatistics[0].GetUsedBytes() < 1<<20 || s.DiskStatistics[0].GetPersistence().GetId() != "v" {
		x.Errorf("statistics %v", s)
	}
	nested := &isolator.Container{ID: "a.b", Config: containerizer.Config{ID: "a.b", Sandbox: filepath.Join(a.Config.Sandbox, "containers/b")}}
	x.prepare(nested)
	x.prepare(x.container("b"))
	x.prepare(x.container("c"))
	d := x.container("d")
	if err := x.i.Prepare(d, isolator.Demand{}, &specs.Spec{}); !errors.Is(err, idpool.ErrExhausted) {
		x.Errorf("a fifth of four projects: %v", err)
	}

	again, err := New(x.cfg)
	if err != nil {
		x.Fatal(err)
	}
	x.i = again
	if got := x.free(); got != 0 {
		x.Errorf("after a restart %v projects are free", got)
	}
	if err := again.Attach(a, true); err != nil {
		x.Fatal(err)
	}
	if err := again.Cleanup(a); err != nil {
		x.Fatal(err)
	}
	if err := again.projects.reclaim(); err != nil || x.free() != 0 {
		x.Errorf("%v projects are free as long as the directories are there, %v", x.free(), err)
	}
	ctx, cancel := context.WithCancel(x.Context())
	defer cancel()
	go again.Run(ctx)
	for _, dir := range []string{a.Config.Sandbox, data} {
		if err := os.RemoveAll(dir); err != nil {
			x.Fatal(err)
		}
	}
	for end := time.Now().Add(10 * time.Second); x.free() != 2; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			x.Fatalf("%v projects are free", x.free())
		}
	}
	x.prepare(d, megabytes(2))
	if err := fill(d.Config.Sandbox, "f", 1); err != nil {
		x.Errorf("an old quota is left: %v", err)
	}
}

// TestRootOlder: a container from before the isolator was chosen gets a project, for what
// it has written already too, and its quota, also if it has taken more.
func TestRootOlder(t *testing.T) {
	x := newTest(t, func(c *Config) { c.Enforce = true })
	c := x.container("c")
	if err := fill(c.Config.Sandbox, "f", 3); err != nil {
		x.Fatal(err)
	}
	c.Config.Resources = []*mesos.Resource{megabytes(2)}
	if err := x.i.Attach(c, true); err != nil {
		x.Fatal(err)
	}
	if s := x.usage(c); s.GetDiskUsedBytes() < 3<<20 || s.GetDiskLimitBytes() != 2<<20 {
		x.Errorf("statistics %v", s)
	}
	if err := fill(c.Config.Sandbox, "g", 1); err == nil {
		x.Error("more could be written")
	}
}

// TestRootVolumeQuota: a volume has a quota of its own, whoever has it.
func TestRootVolumeQuota(t *testing.T) {
	x := newTest(t, func(c *Config) { c.Enforce = true })
	c := x.container("c")
	data := paths.Volume(x.cfg.WorkDir, "a/b", "v")
	if err := os.MkdirAll(data, 0o755); err != nil {
		x.Fatal(err)
	}
	x.prepare(c, megabytes(1), persistent(3, "v", nil))
	if err := fill(data, "f", 2); err != nil {
		x.Errorf("writing 2 of 3 MB: %v", err)
	}
	if err := fill(data, "g", 2); err == nil {
		x.Error("4 of 3 MB were written")
	}
	if err := x.i.Cleanup(c); err != nil {
		x.Fatal(err)
	}
	d := x.container("d")
	x.prepare(d, persistent(8, "v", nil))
	if err := fill(data, "g", 4); err != nil {
		x.Errorf("writing 6 of 8 MB: %v", err)
	}
}

// TestRootImage: what a container changes in its image counts like its sandbox, also in the
// next life of the agent, and its project is given back when both are gone.
func TestRootImage(t *testing.T) {
	x := newTest(t, func(c *Config) { c.Enforce = true })
	scratch := filepath.Join(x.cfg.WorkDir, "provisioner/containers/c/backends/overlay/scratch/1")
	upper, work := filepath.Join(scratch, "upperdir"), filepath.Join(scratch, "workdir")
	if err := errors.Join(os.MkdirAll(upper, 0o755), os.MkdirAll(work, 0o755)); err != nil {
		x.Fatal(err)
	}
	c := x.container("c")
	c.Rootfs = &provisioner.Rootfs{Changes: []string{upper, work}}
	x.prepare(c, megabytes(4))
	if got := x.free(); got != 3 {
		x.Errorf("%v projects are free", got)
	}
	if err := errors.Join(fill(c.Config.Sandbox, "f", 1), fill(work, "f", 2), os.Rename(filepath.Join(work, "f"), filepath.Join(upper, "f"))); err != nil {
		x.Fatal(err)
	}
	if s := x.usage(c); s.GetDiskUsedBytes() < 3<<20 || len(s.GetDiskStatistics()) != 0 {
		x.Errorf("statistics %v", s)
	}
	if err := fill(upper, "g", 3); err == nil {
		x.Error("6 of 4 MB were written")
	}
	again, err := New(x.cfg)
	if err != nil {
		x.Fatal(err)
	}
	x.i = again
	c.Config.Resources = []*mesos.Resource{megabytes(4)}
	if err := again.Attach(c, true); err != nil {
		x.Fatal(err)
	}
	for _, step := range []struct {
		gone string
		free float64
	}{{scratch, 3}, {c.Config.Sandbox, 4}} {
		if err := errors.Join(os.RemoveAll(step.gone), again.projects.reclaim()); err != nil || x.free() != step.free {
			x.Errorf("without %s %v projects are free, %v", step.gone, x.free(), err)
		}
	}
}

// TestRootMountDisk: a disk that is the container's alone needs no project.
func TestRootMountDisk(t *testing.T) {
	x := newTest(t, func(c *Config) { c.Enforce, c.Kill = true, true })
	c := x.container("c")
	x.prepare(c, megabytes(1), persistent(1, "v", &mesos.Resource_DiskInfo_Source{
		Type: mesos.Resource_DiskInfo_Source_MOUNT.Enum(), Mount: &mesos.Resource_DiskInfo_Source_Mount{Root: new("/")},
	}))
	s := x.usage(c)
	if x.free() != 3 || len(s.GetDiskStatistics()) != 1 || s.DiskStatistics[0].GetUsedBytes() == 0 || s.DiskStatistics[0].LimitBytes != nil {
		x.Errorf("%v free, statistics %v", x.free(), s)
	}
}

func TestRootRefused(t *testing.T) {
	for want, work := range map[string]string{"of another type": t.TempDir(), "mount it with the option prjquota": mounted(t, "noquota")} {
		_, err := New(Config{WorkDir: work, Range: DefaultRange})
		if !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), want) {
			t.Errorf("New: %v, want one with %q", err, want)
		}
	}
	work := mounted(t, "pqnoenforce")
	for _, enforce := range []bool{false, true} {
		if _, err := New(Config{WorkDir: work, Range: DefaultRange, Enforce: enforce}); err != nil {
			t.Errorf("enforced %v on a file system that only counts: %v", enforce, err)
		}
	}
}

// TestRootHostile: links that a task leaves in its volume don't lead the agent elsewhere.
func TestRootHostile(t *testing.T) {
	x := newTest(t, nil)
	c := x.container("c")
	outside := filepath.Join(x.cfg.WorkDir, "outside")
	if err := errors.Join(os.Mkdir(outside, 0o755), os.Symlink(outside, filepath.Join(c.Config.Sandbox, "link")),
		exec.Command("mkfifo", filepath.Join(c.Config.Sandbox, "fifo")).Run()); err != nil {
		x.Fatal(err)
	}
	x.prepare(c, megabytes(1))
	if id, err := project(outside); id != 0 || err != nil {
		x.Errorf("project of what is outside: %d, %v", id, err)
	}
	if id, err := project(c.Config.Sandbox); id != 5000 || err != nil {
		x.Errorf("project of the sandbox: %d, %v", id, err)
	}
}

func TestRange(t *testing.T) {
	for _, text := range []string{"[0-10]", "[1-4294967296]", "5000", ""} {
		if _, err := New(Config{WorkDir: t.TempDir(), Range: text}); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%q", text)) {
			t.Errorf("range %q: %v", text, err)
		}
	}
}
