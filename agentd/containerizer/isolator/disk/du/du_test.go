package du

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/provisioner"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

func megabytes(n float64) *mesos.Resource {
	return &mesos.Resource{Name: new("disk"), Type: mesos.Value_SCALAR.Enum(), Scalar: &mesos.Value_Scalar{Value: &n}}
}

func persistent(n float64, source *mesos.Resource_DiskInfo_Source) *mesos.Resource {
	r := megabytes(n)
	r.Reservations = []*mesos.Resource_ReservationInfo{{Role: new("web")}}
	r.Disk = &mesos.Resource_DiskInfo{
		Source:      source,
		Persistence: &mesos.Resource_DiskInfo_Persistence{Id: new("v")},
		Volume:      &mesos.Volume{ContainerPath: new("data")},
	}
	return r
}

func write(t *testing.T, path string, n int) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, make([]byte, n), 0o644); err != nil {
		t.Fatal(err)
	}
}

func container(t *testing.T) *isolator.Container {
	return &isolator.Container{ID: "c", Config: containerizer.Config{ID: "c", Sandbox: t.TempDir()}}
}

// TestUsage compares with the program that the isolator is named after.
func TestUsage(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a/b/big"), 300_000)
	write(t, filepath.Join(dir, "small"), 1)
	if err := os.Link(filepath.Join(dir, "a/b/big"), filepath.Join(dir, "again")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/usr", filepath.Join(dir, "elsewhere")); err != nil {
		t.Fatal(err)
	}
	got, err := usage(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("du", "-s", "-B1", dir).Output()
	if err != nil {
		t.Fatal(err)
	}
	want, _ := strconv.ParseUint(strings.Fields(string(out))[0], 10, 64)
	if got != want {
		t.Errorf("usage is %d, du says %d", got, want)
	}
}

func TestQuota(t *testing.T) {
	work := t.TempDir()
	volume := filepath.Join(work, "volumes/roles/web/v")
	mount := &mesos.Resource_DiskInfo_Source{
		Type:  mesos.Resource_DiskInfo_Source_MOUNT.Enum(),
		Mount: &mesos.Resource_DiskInfo_Source_Mount{Root: new(filepath.Join(work, "mount"))},
	}
	tests := map[string]struct {
		resources []*mesos.Resource
		sandbox   int // bytes written
		volume    int
		changed   int
		lenient   bool
		message   string
	}{
		"below":                     {resources: []*mesos.Resource{megabytes(1)}, sandbox: 100_000},
		"above":                     {resources: []*mesos.Resource{megabytes(1)}, sandbox: 2 << 20, message: "exceeds quota (1MB)"},
		"two resources add up":      {resources: []*mesos.Resource{megabytes(1), megabytes(2)}, sandbox: 2 << 20},
		"not enforced":              {resources: []*mesos.Resource{megabytes(1)}, sandbox: 2 << 20, lenient: true},
		"no disk":                   {sandbox: 2 << 20},
		"changes of an image count": {resources: []*mesos.Resource{megabytes(1)}, changed: 2 << 20, message: "exceeds quota (1MB)"},
		"together with the sandbox": {resources: []*mesos.Resource{megabytes(1)}, changed: 700_000, sandbox: 700_000, message: "exceeds quota (1MB)"},
		"but not of a volume":       {resources: []*mesos.Resource{megabytes(4), persistent(1, nil)}, changed: 2 << 20},
		"volume":                    {resources: []*mesos.Resource{megabytes(1), persistent(1, nil)}, volume: 2 << 20, message: "exceeds quota (1MB)"},
		"a volume has its own":      {resources: []*mesos.Resource{megabytes(1), persistent(4, nil)}, volume: 2 << 20},
		"a disk that bounds itself": {resources: []*mesos.Resource{persistent(1, mount)}, volume: 2 << 20},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := container(t)
			i := New(Config{WorkDir: work, Interval: 10 * time.Millisecond, Enforce: !tt.lenient})
			write(t, filepath.Join(c.Config.Sandbox, "f"), tt.sandbox)
			write(t, filepath.Join(volume, "f"), tt.volume)
			if tt.changed > 0 {
				c.Rootfs = &provisioner.Rootfs{Changes: []string{t.TempDir(), filepath.Join(work, "not yet")}}
				write(t, filepath.Join(c.Rootfs.Changes[0], "etc/f"), tt.changed)
			}
			write(t, filepath.Join(work, "mount/f"), tt.volume)
			if err := i.Prepare(c, isolator.DemandOf(tt.resources, nil), &specs.Spec{}); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			if tt.message != "" {
				ctx, cancel = context.WithTimeout(t.Context(), 10*time.Second)
			}
			defer cancel()
			l, err := i.Watch(ctx, c)
			if tt.message == "" {
				if l != nil {
					t.Errorf("it was limited: %s", l.Message)
				}
				return
			}
			if err != nil || l == nil || !strings.Contains(l.Message, tt.message) ||
				l.Reason != mesos.TaskStatus_REASON_CONTAINER_LIMITATION_DISK {
				t.Errorf("limitation %+v, %v", l, err)
			}
		})
	}
}

func TestStatistics(t *testing.T) {
	c := container(t)
	i := New(Config{WorkDir: t.TempDir(), Interval: time.Millisecond})
	write(t, filepath.Join(c.Config.Sandbox, "f"), 100_000)
	if err := i.Prepare(c, isolator.DemandOf([]*mesos.Resource{megabytes(3)}, nil), &specs.Spec{}); err != nil {
		t.Fatal(err)
	}
	stats := func() *mesos.ResourceStatistics {
		s := &mesos.ResourceStatistics{}
		if err := i.Usage(c, s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	want := &mesos.ResourceStatistics{
		DiskLimitBytes: new(uint64(3 << 20)), DiskUsedBytes: new(uint64(0)),
		DiskStatistics: []*mesos.DiskStatistics{{LimitBytes: new(uint64(3 << 20)), UsedBytes: new(uint64(0))}},
	}
	if diff := cmp.Diff(want, stats(), protocmp.Transform()); diff != "" {
		t.Errorf("before it was measured (-want +got):\n%s", diff)
	}
	if l, err := i.check(t.Context(), c.ID, c.Config.Sandbox); l != nil || err != nil {
		t.Fatal(l, err)
	}
	// New quotas don't forget what was measured.
	if err := i.Update(c, isolator.DemandOf([]*mesos.Resource{megabytes(4)}, nil), nil); err != nil {
		t.Fatal(err)
	}
	got := stats()
	if got.GetDiskUsedBytes() < 100_000 || got.GetDiskUsedBytes() > 200_000 || got.GetDiskLimitBytes() != 4<<20 {
		t.Errorf("statistics %v", got)
	}
	if err := i.Cleanup(c); err != nil {
		t.Fatal(err)
	}
	if got := stats(); got.DiskStatistics != nil {
		t.Errorf("after the end: %v", got)
	}
}

// TestMeanwhile: a container from before a restart is measured and bounded as before.
func TestMeanwhile(t *testing.T) {
	c := container(t)
	c.Config.Resources = []*mesos.Resource{megabytes(1)}
	write(t, filepath.Join(c.Config.Sandbox, "f"), 2<<20)
	i := New(Config{WorkDir: t.TempDir(), Interval: time.Millisecond, Enforce: true})
	if err := i.Attach(c, true); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if l, err := i.Watch(ctx, c); err != nil || l == nil || !strings.Contains(l.Message, "exceeds quota (1MB)") {
		t.Errorf("limitation %+v, %v", l, err)
	}
}
