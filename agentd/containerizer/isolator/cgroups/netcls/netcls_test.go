package netcls

import (
	"errors"
	"testing"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/cgroups"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/cgroups/cgrouptest"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

func container(t *testing.T, id containerizer.ID) *isolator.Container {
	g := cgrouptest.FakeV1(t, "/"+string(id), map[string]string{"net_cls/net_cls.classid": "0"}, "net_cls")
	return &isolator.Container{ID: id, Group: g}
}

func class(t *testing.T, i *Isolator, c *isolator.Container) uint32 {
	t.Helper()
	s := &mesos.ContainerStatus{}
	if err := i.Status(c, s); err != nil {
		t.Fatal(err)
	}
	return s.GetCgroupInfo().GetNetCls().GetClassid()
}

func TestClassIDs(t *testing.T) {
	a, b, c := container(t, "a"), container(t, "b"), container(t, "c")
	i, err := New(Config{Primary: 0x10, First: 1, Last: 2}, a.Group.Tree())
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []*isolator.Container{a, b} {
		if err := i.Attach(x, false); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := class(t, i, a), uint32(0x100001); got != want {
		t.Errorf("a has %#x, want %#x", got, want)
	}
	if text, err := b.Group.Read("net_cls", "net_cls.classid"); err != nil || text != "0x100002" {
		t.Errorf("the kernel was told %q: %v", text, err)
	}
	if err := i.Attach(c, false); !errors.Is(err, ErrExhausted) {
		t.Errorf("a third ID of two: %v", err)
	}
	if err := i.Cleanup(a); err != nil {
		t.Fatal(err)
	}
	if err := i.Attach(c, false); err != nil || class(t, i, c) != 0x100001 {
		t.Errorf("what a had is %#x for c: %v", class(t, i, c), err)
	}

	// Another life of the agent gives no ID out twice.
	if err := b.Group.Write("net_cls", "net_cls.classid", "1048577"); err != nil { // as the kernel shows 0x100001
		t.Fatal(err)
	}
	again, err := New(Config{Primary: 0x10, First: 1, Last: 2}, a.Group.Tree())
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Attach(b, true); err != nil {
		t.Fatal(err)
	}
	if err := again.Attach(a, false); err != nil || class(t, again, a) != 0x100002 {
		t.Errorf("beside b's, a got %#x: %v", class(t, again, a), err)
	}
}

func TestConfig(t *testing.T) {
	c := container(t, "c")
	if _, err := New(Config{Primary: 1, First: 5, Last: 4}, c.Group.Tree()); err == nil {
		t.Error("an empty range was taken")
	}
	if _, err := New(Config{}, cgrouptest.FakeV2(t, "/c", nil).Tree()); !errors.Is(err, cgroups.ErrNoController) {
		t.Errorf("cgroup v2: %v", err)
	}
	i, err := New(Config{}, c.Group.Tree())
	if err != nil {
		t.Fatal(err)
	}
	if err := i.Attach(c, false); err != nil || class(t, i, c) != 0 {
		t.Errorf("without a range an ID was given out: %v", err)
	}
}
