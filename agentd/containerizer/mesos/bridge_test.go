package mesos

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/vishvananda/netlink"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/bridge"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/testkit/images"
)

// aloneOnNetwork runs a test in a process with a network of its own.
func aloneOnNetwork(t *testing.T) bool {
	t.Helper()
	const variable = "DOCKER_TEST_ALONE"
	if os.Getenv(variable) == t.Name() {
		lo, err := netlink.LinkByName("lo")
		if err == nil {
			err = netlink.LinkSetUp(lo)
		}
		if err != nil {
			t.Fatal(err)
		}
		return true
	}
	config(t, variants[2]) // which skips where there are no containers
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

// TestDockerBridge runs a container on the bridge: it has an address and a name, is reached by its
// port, also with the next agent, and leaves no interface.
func TestDockerBridge(t *testing.T) {
	if !aloneOnNetwork(t) {
		return
	}
	cfg, registry := dockerConfig(t)
	ref := registry.Push(t, "tool", images.Of(t, v1.Config{}, images.Shell(t)))
	network := func() {
		b, err := bridge.New(bridge.Config{Name: "mesos0", Subnet: netip.MustParsePrefix("172.29.0.0/24"), Dir: filepath.Join(cfg.RuntimeDir, "bridge")})
		if err != nil {
			t.Fatal(err)
		}
		cfg.Docker.Bridge = b
	}
	network()
	cfg.Docker.DNS.Servers = []string{"192.0.2.53"}
	c := inDocker(sh(t, cfg, "c1", `hostname; grep box /etc/hosts; grep nameserver /etc/resolv.conf; grep -c : /proc/net/dev; sleep 1000`), ref, func(info *mesos.ContainerInfo) {
		info.Hostname, info.Docker.Network = new("box"), mesos.ContainerInfo_DockerInfo_BRIDGE.Enum()
		info.Docker.PortMappings = []*mesos.ContainerInfo_DockerInfo_PortMapping{{HostPort: new(uint32(31000)), ContainerPort: new(uint32(80))}}
	})
	c.CheckpointDir = filepath.Join(t.TempDir(), "checkpoint")
	c.Resources = append(c.Resources, &mesos.Resource{Name: new("ports"), Type: mesos.Value_RANGES.Enum(), Ranges: &mesos.Value_Ranges{
		Range: []*mesos.Value_Range{{Begin: new(uint64(31000)), End: new(uint64(31000))}},
	}})
	m := agent(t, cfg)
	launch(t, m, c)
	const want = "box\n172.29.0.2\tbox\nnameserver 192.0.2.53\n2\n"
	for end := time.Now().Add(time.Minute); read(t, c, "stdout") != want; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("stdout %q, want %q", read(t, c, "stdout"), want)
		}
	}
	status, err := m.Status(deadline(t), c.ID)
	if err != nil || status.GetNetworkInfos()[0].GetIpAddresses()[0].GetIpAddress() != "172.29.0.2" {
		t.Errorf("status %v, error %v", status, err)
	}
	answers(t, int(status.GetExecutorPid()))
	network() // the agent was killed
	next := agent(t, cfg)
	c.Resources = c.Resources[:len(c.Resources)-1] // the port was the task's, which has ended
	if _, err := next.Recover(deadline(t), []containerizer.Recovered{{Config: c}}); err != nil {
		t.Fatal(err)
	}
	if status, err := next.Status(deadline(t), c.ID); err != nil || status.GetNetworkInfos()[0].GetIpAddresses()[0].GetIpAddress() != "172.29.0.2" {
		t.Errorf("after a restart: status %v, error %v", status, err)
	} else if ports := status.GetNetworkInfos()[0].GetPortMappings(); len(ports) != 1 || ports[0].GetHostPort() != 31000 {
		t.Errorf("after a restart: ports %v", ports)
	}
	if err := next.Destroy(deadline(t), c.ID); err != nil {
		t.Error(err)
	}
	links, err := netlink.LinkList()
	if err != nil || len(links) > 1 {
		t.Errorf("interfaces are left: %v, error %v", links, err)
	}
	wait(t, m, c.ID)
}

// answers has something in a container's network answer by the node's port.
func answers(t *testing.T, pid int) {
	t.Helper()
	// A copy of this program would do as well, but the image has none.
	server := exec.Command("nsenter", "--net=/proc/"+strconv.Itoa(pid)+"/ns/net", "/proc/self/exe", "-test.run=^TestServeOnce$")
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	server.Args[2] = exe
	server.Env = append(os.Environ(), "DOCKER_TEST_SERVE=:80")
	if err := server.Start(); err != nil {
		t.Skipf("nsenter: %v", err)
	}
	defer func() { _ = server.Process.Kill(); _ = server.Wait() }()
	var answer []byte
	for end := time.Now().Add(time.Minute); len(answer) == 0 && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		var c net.Conn
		if c, err = net.Dial("tcp4", "127.0.0.1:31000"); err == nil {
			answer, err = io.ReadAll(c)
			c.Close()
		}
	}
	if err != nil || !strings.HasPrefix(string(answer), "172.29.0.1:") {
		t.Errorf("answer %q, error %v", answer, err)
	}
}

// TestServeOnce is no test but a server, in a process of its own.
func TestServeOnce(t *testing.T) {
	address := os.Getenv("DOCKER_TEST_SERVE")
	if address == "" {
		t.Skip("a part of TestDockerBridge")
	}
	l, err := net.Listen("tcp4", address)
	if err != nil {
		t.Fatal(err)
	}
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		fmt.Fprint(c, c.RemoteAddr())
		c.Close()
	}
}
