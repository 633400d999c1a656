package cluster

import (
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/config"
	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/progress"
)

func newCluster(t *testing.T) Cluster {
	t.Helper()
	c := config.Default()
	c.RunDir = filepath.Join(t.TempDir(), "run")
	return Cluster{Config: c, Log: progress.New(io.Discard)}
}

func TestAddons(t *testing.T) {
	v := addonValues{Image: "localhost/localkube/coredns:v9", DNSAddr: "10.96.0.10", Class: "local", Provisioner: "p", Forward: true}
	with, err := renderAddons(v)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"image: localhost/localkube/coredns:v9\n", "clusterIP: 10.96.0.10\n", "provisioner: p\n", "forward . /etc/resolv.conf\n"} {
		if !strings.Contains(with, want) {
			t.Errorf("no %q in:\n%s", want, with)
		}
	}
	v.Forward = false
	// CoreDNS refuses to start with a forward plugin that has nowhere to forward to.
	if without, _ := renderAddons(v); strings.Contains(without, "forward") {
		t.Errorf("forward without a name server:\n%s", without)
	}
}

// TestCredentialsCoverArguments starts no program, but makes sure that every file
// that a program is told to read exists.
func TestCredentialsCoverArguments(t *testing.T) {
	k := newCluster(t)
	k.Config.Nodes = 2
	if err := k.credentials(); err != nil {
		t.Fatal(err)
	}
	programs, err := k.programs(dirs{kubernetes: "/k", etcd: "/e"})
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, p := range programs {
		for _, arg := range p.argv[1:] {
			_, file, _ := strings.Cut(arg, "=")
			if !within(file, k.Config.RunDir) || strings.Contains(arg, "-dir=") || strings.HasPrefix(arg, "--run=") {
				continue
			}
			seen++
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s %s: %v", p.name, arg, err)
			}
		}
	}
	if seen < 20 {
		t.Errorf("only %d files in the arguments: has the test lost sight of them?", seen)
	}
	for _, n := range k.Config.AllNodes() {
		if _, err := os.Stat(k.Config.Path("kubeconfigs", n.Name)); err != nil {
			t.Error(err)
		}
	}
}

func TestSysctlsAreSavedOnce(t *testing.T) {
	k := newCluster(t)
	if err := os.MkdirAll(k.Config.RunDir, 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "panic")
	old := sysctls
	sysctls = []string{file, filepath.Join(t.TempDir(), "of another kernel")}
	t.Cleanup(func() { sysctls = old })

	set := func(v string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(v), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	set("0\n")
	must(k.saveSysctls())
	set("10\n") // as a kubelet does
	must(k.saveSysctls())
	must(k.restoreSysctls())
	if b, _ := os.ReadFile(file); strings.TrimSpace(string(b)) != "0" {
		t.Errorf("restored to %q, want the value from before the first Up", b)
	}
}

func TestGroupsAreSummedUp(t *testing.T) {
	got := groups([]string{
		"/sys/fs/cgroup/cpu/localkube/node1/kubepods", "/sys/fs/cgroup/cpu/localkube/node1", "/sys/fs/cgroup/cpu/localkube",
		"/sys/fs/cgroup/localkube",
	})
	want := []string{"cgroup /sys/fs/cgroup/cpu/localkube with 2 below", "cgroup /sys/fs/cgroup/localkube with 0 below"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("groups (-want +got):\n%s", d)
	}
}

func TestWithin(t *testing.T) {
	for path, want := range map[string]bool{"/run/x": true, "/run/x/y": true, "/run/xy": false, "/run": false} {
		if within(path, "/run/x") != want {
			t.Errorf("within(%q) = %v", path, !want)
		}
	}
}

func TestRangesDoNotOverlapByDefault(t *testing.T) {
	c := config.Default()
	for _, n := range []config.Node{c.Node(1), c.Node(config.MaxNodes)} {
		if !c.NodeCIDR.Contains(n.Addr) || !c.PodCIDR.Overlaps(n.PodCIDR) {
			t.Errorf("%s: %s and %s are outside of the cluster's ranges", n.Name, n.Addr, n.PodCIDR)
		}
	}
	if !c.ServiceCIDR.Contains(c.DNSAddr()) || c.HostAddr() == (netip.Addr{}) {
		t.Error("the DNS address is outside of the services' range")
	}
}
