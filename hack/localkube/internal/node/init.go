package node

import (
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/cgroup"
	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/network"
)

// searchPath is PATH inside of a node.
const searchPath = programs + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// runtimeSocket is where containerd listens.
const runtimeSocket = "/run/containerd/containerd.sock"

// Init is the body of the "node-init" command, the node's pid 1. It returns only
// when the node can't be set up.
func Init(specFile string) error {
	s, err := readSpec(specFile)
	if err != nil {
		return err
	}
	if err := s.enterRoot(); err != nil {
		return err
	}
	if err := unix.Sethostname([]byte(s.Node.Name)); err != nil {
		return fmt.Errorf("setting the host name: %w", err)
	}
	if err := awaitLink(time.Minute); err != nil {
		return err
	}
	if err := network.Inside(s.Config, s.Node); err != nil {
		return fmt.Errorf("setting up the network: %w", err)
	}
	// Only now has the process that cloned us left the group.
	if err := cgroup.DelegateRoot("init"); err != nil {
		return fmt.Errorf("delegating cgroups: %w", err)
	}
	if err := os.Setenv("PATH", searchPath); err != nil {
		return err
	}
	supervise(s.daemons())
	return nil
}

// awaitLink waits until the host has put the node's link into our namespace.
func awaitLink(limit time.Duration) error {
	for deadline := time.Now().Add(limit); ; time.Sleep(20 * time.Millisecond) {
		if _, err := net.InterfaceByName(network.NodeLink); err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("no %s after %s", network.NodeLink, limit)
		}
	}
}

// daemon is a program that runs for as long as the node does.
type daemon struct {
	argv []string
	// ready says when it may be started; nil means at once.
	ready func() bool

	pid   int       // 0 while it doesn't run
	after time.Time // when it may be started again
}

func (d *daemon) name() string { return filepath.Base(d.argv[0]) }

func (s Spec) daemons() []*daemon {
	return []*daemon{
		{argv: []string{"/usr/bin/containerd"}},
		{argv: []string{
			programs + "/kubelet", "--config=/etc/kubernetes/kubelet.json", "--kubeconfig=/etc/kubernetes/kubelet.kubeconfig",
			"--hostname-override=" + s.Node.Name, "--node-ip=" + s.Node.Addr.String(), "--v=2",
		}, ready: runtimeAnswers},
		{argv: []string{
			programs + "/kube-proxy", "--config=/etc/kubernetes/kube-proxy.json", "--hostname-override=" + s.Node.Name, "--v=2",
		}},
	}
}

func runtimeAnswers() bool {
	c, err := net.Dial("unix", runtimeSocket)
	if err != nil {
		return false
	}
	return c.Close() == nil
}

// restartDelay keeps a daemon that can't run from spinning.
const restartDelay = time.Second

// supervise starts the daemons, starts them again when they end, and reaps every
// process whose parent has ended, as a pid 1 must.
func supervise(daemons []*daemon) {
	ended := make(chan os.Signal, 64)
	signal.Notify(ended, syscall.SIGCHLD)
	tick := time.NewTicker(100 * time.Millisecond)
	for {
		for _, d := range daemons {
			if d.pid == 0 && time.Now().After(d.after) && (d.ready == nil || d.ready()) {
				d.start()
			}
		}
		select {
		case <-ended:
		case <-tick.C:
		}
		reap(daemons)
	}
}

func (d *daemon) start() {
	d.after = time.Now().Add(restartDelay)
	out, err := os.OpenFile(filepath.Join("/var/log/localkube", d.name()+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		log.Printf("starting %s: %v", d.name(), err)
		return
	}
	defer out.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		log.Printf("starting %s: %v", d.name(), err)
		return
	}
	defer null.Close()
	p, err := os.StartProcess(d.argv[0], d.argv, &os.ProcAttr{
		Dir: "/", Env: os.Environ(), Files: []*os.File{null, out, out}, Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		log.Printf("starting %s: %v", d.name(), err)
		return
	}
	d.pid = p.Pid
	_ = p.Release() // waited for by reap, like every other child
	log.Printf("%s: started, pid %d", d.name(), d.pid)
}

func reap(daemons []*daemon) {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		if err != nil || pid <= 0 {
			return
		}
		for _, d := range daemons {
			if d.pid == pid {
				log.Printf("%s: ended, exit code %d, signal %d", d.name(), status.ExitStatus(), status.Signal())
				d.pid = 0
			}
		}
	}
}
