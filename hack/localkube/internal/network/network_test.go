package network

import (
	"context"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/config"
)

// ownNamespace moves the test's thread into a new network namespace, which goes with
// the thread.
func ownNamespace(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("making network namespaces needs root")
	}
	if _, err := exec.LookPath("nft"); err != nil {
		t.Skip("needs nft (Debian's nftables)")
	}
	runtime.LockOSThread() // never unlocked: the thread ends with the test's goroutine
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
}

// otherNamespace returns the pid of a process in a network namespace of its own.
func otherNamespace(t *testing.T) int {
	t.Helper()
	cmd := exec.Command("sleep", "60")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd.Process.Pid
}

func TestUpAndDown(t *testing.T) {
	ownNamespace(t)
	ctx, c := context.Background(), config.Default()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	leftovers := func() string {
		t.Helper()
		found, err := Leftovers(ctx, c)
		must(err)
		return strings.Join(found, "\n")
	}
	if got := leftovers(); got != "" {
		t.Fatalf("before anything was made: %s", got)
	}
	pid := otherNamespace(t)
	for range 2 { // the second time finds everything in place
		must(Up(ctx, c))
		must(Connect(c, c.Node(1), pid))
	}
	want := strings.Join([]string{
		"link lk-br0", "link lk-node1", "route 10.96.0.0/16", "route 10.99.0.0/24", "route 10.244.1.0/24", "nft: table ip localkube",
	}, "\n")
	if d := cmp.Diff(want, leftovers()); d != "" {
		t.Errorf("what is there (-want +got):\n%s", d)
	}
	must(Down(ctx))
	if got := leftovers(); got != "" {
		t.Errorf("after Down: %s", got)
	}
	must(Down(ctx))
}

func TestUpRefusesARangeInUse(t *testing.T) {
	ownNamespace(t)
	office := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "office"}}
	if err := netlink.LinkAdd(office); err != nil {
		t.Fatal(err)
	}
	if err := netlink.LinkSetUp(office); err != nil {
		t.Fatal(err)
	}
	route := &netlink.Route{LinkIndex: office.Index, Dst: ipNet(netip.MustParsePrefix("10.244.7.0/24"))}
	if err := netlink.RouteAdd(route); err != nil {
		t.Fatal(err)
	}
	err := Up(context.Background(), config.Default())
	if err == nil || !strings.Contains(err.Error(), "10.244.7.0/24") {
		t.Errorf("Up() = %v, want an error that names the route", err)
	}
}

func TestIsOurs(t *testing.T) {
	c := config.Default()
	tests := map[string]bool{
		"table ip localkube":                                      true,
		"-A POSTROUTING -s 10.244.0.0/16 -j MASQUERADE":           true,
		":KUBE-SERVICES - [0:0]":                                  false, // of another Kubernetes on the host
		"-A INPUT -s 10.0.0.0/8 -j ACCEPT":                        false,
		"-A KUBE-FORWARD ! -s 10.244.0.0/16 -m comment -j ACCEPT": true,
	}
	for rule, want := range tests {
		if got := isOurs(c, rule); got != want {
			t.Errorf("isOurs(%q) = %v", rule, got)
		}
	}
}
