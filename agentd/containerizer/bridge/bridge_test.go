package bridge

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/docker"
)

// alone runs a test in a process with a network namespace of its own.
func alone(t *testing.T) bool {
	t.Helper()
	const variable = "BRIDGE_TEST_ALONE"
	if os.Getenv(variable) == t.Name() {
		return true
	}
	if os.Geteuid() != 0 {
		t.Skip("networks need root")
	}
	c := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v")
	c.Env = append(os.Environ(), variable+"="+t.Name())
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	out, err := c.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
	return false
}

// within runs f in the network namespace of a file.
func within(t *testing.T, namespace string, f func() error) {
	t.Helper()
	done := make(chan error)
	go onThread(func() {
		ns, err := os.Open(namespace)
		if err == nil {
			defer ns.Close()
			err = unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET)
		}
		if err == nil {
			err = f()
		}
		done <- err
	})
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// serve answers each client with the address that it comes from, from within a namespace.
func serve(t *testing.T, namespace, address string) {
	t.Helper()
	within(t, namespace, func() error {
		l, err := net.Listen("tcp4", address)
		if err != nil {
			return err
		}
		t.Cleanup(func() { l.Close() })
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				host, _, _ := net.SplitHostPort(c.RemoteAddr().String())
				fmt.Fprint(c, host)
				c.Close()
			}
		}()
		p, err := net.ListenPacket("udp4", address)
		if err != nil {
			return err
		}
		t.Cleanup(func() { p.Close() })
		go func() {
			buffer := make([]byte, 10)
			for {
				n, from, err := p.ReadFrom(buffer)
				if err != nil {
					return
				}
				_, _ = p.WriteTo(bytes.ToUpper(buffer[:n]), from)
			}
		}()
		return nil
	})
}

// ask says what serve answers to who asks from a namespace.
func ask(t *testing.T, namespace, address string) (answer string) {
	t.Helper()
	within(t, namespace, func() error {
		c, err := net.DialTimeout("tcp4", address, 10*time.Second)
		if err != nil {
			answer = err.Error()
			return nil
		}
		defer c.Close()
		data, err := io.ReadAll(c)
		answer = string(data)
		return err
	})
	return answer
}

// outside connects another machine, of sorts: a namespace at 192.0.2.2 of a node at 192.0.2.1.
func outside(t *testing.T) string {
	t.Helper()
	ns, err := newNamespace()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ns.Close() })
	attrs := netlink.NewLinkAttrs()
	attrs.Name = "uplink"
	veth := &netlink.Veth{LinkAttrs: attrs, PeerName: "eth0", PeerNamespace: netlink.NsFd(ns.Fd())}
	address := func(text string) *netlink.Addr {
		a, err := netlink.ParseAddr(text)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	if err := errors.Join(netlink.LinkAdd(veth), netlink.AddrAdd(veth, address("192.0.2.1/24")), netlink.LinkSetUp(veth)); err != nil {
		t.Fatal(err)
	}
	h, err := netlink.NewHandleAt(netns.NsHandle(ns.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	peer, err := h.LinkByName("eth0")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(h.AddrAdd(peer, address("192.0.2.2/24")), h.LinkSetUp(peer)); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("/proc/self/fd/%d", ns.Fd())
}

const here = "/proc/self/ns/net"

// TestBridge connects two containers, from and to the world, their node and each other, and
// leaves nothing behind.
func TestBridge(t *testing.T) {
	if !alone(t) {
		return
	}
	lo, err := netlink.LinkByName("lo")
	if err == nil {
		err = netlink.LinkSetUp(lo)
	}
	if err != nil {
		t.Fatal(err)
	}
	world := outside(t)
	cfg := Config{Name: "mesos0", Subnet: netip.MustParsePrefix("172.29.0.0/24"), Dir: t.TempDir()}
	b, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	one, err := b.Connect("one", []docker.Port{{Host: 31000, Container: 80, Protocol: "tcp"}, {Host: 31000, Container: 80, Protocol: "udp"}})
	if err != nil {
		t.Fatal(err)
	}
	two, err := b.Connect("two", nil)
	if err != nil {
		t.Fatal(err)
	}
	if one.Address != "172.29.0.2" || two.Address != "172.29.0.3" || one.Gateway != "172.29.0.1" || one.Bits != 24 || one.MAC != "02:42:ac:1d:00:02" {
		t.Errorf("connections %+v, %+v", one, two)
	}
	if _, err := b.Connect("three", []docker.Port{{Host: 31000, Container: 1, Protocol: "udp"}}); !errors.Is(err, ErrPort) {
		t.Errorf("the same port again: %v", err)
	}
	serve(t, one.Namespace, ":80")
	serve(t, world, ":7")
	for name, tt := range map[string]struct{ from, address, want string }{
		"the node, at the container":    {here, "172.29.0.2:80", "172.29.0.1"},
		"the node, by its port":         {here, "192.0.2.1:31000", "172.29.0.1"},
		"the node, by its loopback":     {here, "127.0.0.1:31000", "172.29.0.1"},
		"the world, by the node's port": {world, "192.0.2.1:31000", "192.0.2.2"},
		"its neighbour":                 {two.Namespace, "172.29.0.2:80", "172.29.0.3"},
		"its neighbour, by the port":    {two.Namespace, "192.0.2.1:31000", "172.29.0.1"},
		"itself, by the port":           {one.Namespace, "192.0.2.1:31000", "172.29.0.1"},
		"itself, by its loopback":       {one.Namespace, "127.0.0.1:80", "127.0.0.1"},
		"a container asks the world":    {two.Namespace, "192.0.2.2:7", "192.0.2.1"},
	} {
		answer := ask(t, tt.from, tt.address)
		if tt.from == here && answer == "192.0.2.1" { // the node's address that it asked from
			answer = tt.want
		}
		if answer != tt.want {
			t.Errorf("%s: comes from %q, want %q", name, answer, tt.want)
		}
	}
	within(t, world, func() error {
		c, err := net.Dial("udp4", "192.0.2.1:31000")
		if err != nil {
			return err
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(10 * time.Second))
		buffer := make([]byte, 10)
		if _, err := c.Write([]byte("ping")); err != nil {
			return err
		}
		n, err := c.Read(buffer)
		if string(buffer[:n]) != "PING" {
			t.Errorf("answer by UDP %q", buffer[:n])
		}
		return err
	})
	again, err := New(cfg) // as an agent that was killed
	if err != nil {
		t.Fatal(err)
	}
	if got := again.Find("one"); got.Address != one.Address || got.Namespace != "" {
		t.Errorf("after a restart %+v", got)
	}
	for _, id := range []containerizer.ID{"one", "two", "unknown"} {
		if err := again.Disconnect(id); err != nil {
			t.Error(err)
		}
	}
	nothingLeft(t, cfg)
}

// nothingLeft looks for interfaces, tables and files.
func nothingLeft(t *testing.T, cfg Config) {
	t.Helper()
	links, err := netlink.LinkList()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range links {
		if name := l.Attrs().Name; strings.HasPrefix(name, "mv") || name == cfg.Name {
			t.Errorf("the interface %s is left", name)
		}
	}
	c, err := nftables.New()
	if err != nil {
		t.Fatal(err)
	}
	if tables, err := c.ListTables(); err != nil || len(tables) > 0 {
		t.Errorf("tables %v are left, error %v", tables, err)
	}
	if files, err := os.ReadDir(cfg.Dir); err != nil || len(files) > 0 {
		t.Errorf("files %v are left, error %v", files, err)
	}
}

// TestTaken doesn't touch what is somebody else's.
func TestTaken(t *testing.T) {
	if !alone(t) {
		return
	}
	outside(t)
	for name, cfg := range map[string]Config{
		"the subnet": {Name: "mesos0", Subnet: netip.MustParsePrefix("192.0.2.0/25"), Dir: t.TempDir()},
		"the name":   {Name: "uplink", Subnet: netip.MustParsePrefix("172.29.0.0/24"), Dir: t.TempDir()},
	} {
		b, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Connect("one", nil); !errors.Is(err, ErrTaken) {
			t.Errorf("%s: %v", name, err)
		}
		if files, err := os.ReadDir(cfg.Dir); err != nil || len(files) > 0 {
			t.Errorf("files %v are left, error %v", files, err)
		}
	}
}

func TestFull(t *testing.T) {
	b := &Bridge{cfg: Config{Name: "x", Subnet: netip.MustParsePrefix("10.0.0.0/29"), Dir: t.TempDir()}, leases: map[containerizer.ID]*lease{}}
	for n := range 5 {
		if _, err := b.take(containerizer.ID(fmt.Sprint(n)), nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.take("more", nil); !errors.Is(err, ErrFull) {
		t.Errorf("error %v", err)
	}
}

func TestValidate(t *testing.T) {
	for want, cfg := range map[string]Config{
		"":       {Name: "mesos0", Subnet: netip.MustParsePrefix("10.0.0.0/8")},
		"name":   {Name: "a/b", Subnet: netip.MustParsePrefix("10.0.0.0/8")},
		"subnet": {Name: "mesos0", Subnet: netip.MustParsePrefix("10.0.0.1/8")},
		"IPv4":   {Name: "mesos0", Subnet: netip.MustParsePrefix("fd00::/64")},
	} {
		if err := cfg.Validate(); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}
