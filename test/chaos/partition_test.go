package chaos

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// insideVariable says that this process is in a network namespace of its own,
// which ends with it and takes everything in it along.
const insideVariable = "CHAOS_INSIDE"

// network is a namespace for each master, with this one as the router between
// them.
type network struct {
	t      *testing.T
	holder []*exec.Cmd // keeps a namespace
}

// run executes a program that must succeed.
func run(t *testing.T, command string) {
	t.Helper()
	words := strings.Fields(command)
	if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
}

func newNetwork(t *testing.T, n int) *network {
	t.Helper()
	w := &network{t: t}
	run(t, "ip link set lo up")
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		holder := exec.Command("sleep", "infinity")
		holder.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
		if err := holder.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = holder.Process.Kill(); _ = holder.Wait() })
		w.holder = append(w.holder, holder)
		enter := strings.Join(w.prefix(i), " ")
		run(t, fmt.Sprintf("ip link add m%d type veth peer name eth0 netns %d", i, holder.Process.Pid))
		run(t, fmt.Sprintf("ip addr add 10.77.%d.1/24 dev m%d", i, i))
		run(t, fmt.Sprintf("ip link set m%d up", i))
		run(t, enter+" ip link set lo up")
		run(t, fmt.Sprintf("%s ip addr add %s/24 dev eth0", enter, address(i)))
		run(t, enter+" ip link set eth0 up")
		run(t, fmt.Sprintf("%s ip route add default via 10.77.%d.1", enter, i))
	}
	return w
}

func address(i int) string { return fmt.Sprintf("10.77.%d.2", i) }

func (w *network) prefix(i int) []string {
	return []string{"nsenter", fmt.Sprintf("--net=/proc/%d/ns/net", w.holder[i].Process.Pid)}
}

// cut drops everything between one master and the others; this process still
// reaches all of them. heal ends it.
func (w *network) cut(i int) { w.rules(i, "add") }

func (w *network) heal(i int) { w.rules(i, "del") }

func (w *network) rules(i int, do string) {
	w.t.Helper()
	for j := range w.holder {
		if j != i {
			run(w.t, fmt.Sprintf("ip rule %s pref 100 iif m%d to %s blackhole", do, i, address(j)))
			run(w.t, fmt.Sprintf("ip rule %s pref 100 iif m%d to %s blackhole", do, j, address(i)))
		}
	}
	// What is looked up first are this namespace's own addresses, which stay.
}

// TestLeaderIsCutOff takes the leader's way to the other masters, but not the
// clients' to it.
func TestLeaderIsCutOff(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root for network namespaces")
	}
	for _, tool := range []string{"ip", "nsenter"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("needs " + tool)
		}
	}
	if os.Getenv(insideVariable) == "" {
		inside(t)
		return
	}
	w := newNetwork(t, 3)
	c := &cluster{t: t}
	var peers []string
	for i := range 3 {
		peers = append(peers, fmt.Sprintf("m%d=%s:5051", i, address(i)))
	}
	for i := range 3 {
		m := testbed.NewMaster(t, "--ip="+address(i), "--port=5050", "--hostname="+address(i), fmt.Sprintf("--raft_id=m%d", i),
			"--raft_address="+address(i)+":5051", "--raft_peers="+strings.Join(peers, ","))
		m.Address, m.Prefix = address(i)+":5050", w.prefix(i)
		c.masters = append(c.masters, m)
		m.Process.Start()
	}
	c.awaitVoters(3)
	c.write()
	var took, gaveUp figures
	for range rounds(2) {
		c.goesOn()
		old := c.leader()
		i := 0
		for c.masters[i] != old {
			i++
		}
		w.cut(i)
		begin := time.Now()
		for leads(old) {
			if time.Since(begin) > testbed.Patience {
				t.Fatal("the leader that is cut off leads on")
			}
		}
		gaveUp = append(gaveUp, time.Since(begin))
		c.leader(old)
		took = append(took, time.Since(begin))
		c.goesOn()
		w.heal(i)
		follows(t, c, old)
		c.awaitVoters(3)
	}
	gaveUp.report(t, "a leader that is cut off stops leading (time until it does)", promised)
	took.report(t, "the leader is cut off", promised)
	c.nothingLost()
}

// inside runs the test again in a network namespace of its own.
func inside(t *testing.T) {
	before := interfaces(t)
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.count=1")
	cmd.Env = append(os.Environ(), insideVariable+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	out, err := cmd.CombinedOutput()
	t.Logf("in a network namespace:\n%s", out)
	if err != nil {
		t.Errorf("in a network namespace: %v", err)
	}
	if after := interfaces(t); after != before {
		t.Errorf("network interfaces are left behind: %s, were %s", after, before)
	}
}

func interfaces(t *testing.T) string {
	t.Helper()
	names, err := filepath.Glob("/sys/class/net/m[0-9]")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(names, " ")
}
