// Package node makes a Kubernetes node out of namespaces: a process tree with its
// own mounts, pids, network, host name, IPC and cgroup root, in which containerd,
// the kubelet and kube-proxy run as on a machine of their own.
//
// Namespaces of its own give a node what the host often can't: a shared root mount
// (volumes with Bidirectional propagation need one), a pid 1 whose namespaces a
// privileged pod may enter, and an end that takes everything with it: when the node's
// pid 1 is killed, the kernel kills all that ran in the node and drops its mounts,
// links and firewall rules.
//
// Life of a node:
//
//	Start (host)          renders the node's files, runs Clone in the node's cgroup,
//	                      links the new network namespace to the bridge
//	Clone (own process)   makes the namespaces, records pid 1 as the host sees it
//	Init  (pid 1)         builds the root file system, waits for its link, then keeps
//	                      the daemons running and reaps orphans, for ever
package node

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/cgroup"
	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/config"
	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/network"
	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/process"
)

// Spec is all that a node's own processes need to know.
type Spec struct {
	Config config.Config
	Node   config.Node
	// Programs is the folder with kubelet and kube-proxy.
	Programs string
}

// Cgroup is the node's control group; it is the root of the node's own view.
func (s Spec) Cgroup() string { return config.Name + "/" + s.Node.Name }

// dir is the node's folder below the run folder, which holds:
//
//	spec.json  the Spec
//	etc/       files rendered for the node
//	root/      mount point of the root file system (empty as the host sees it)
//	var/       the node's /var: images, containers, volumes, logs
func (s Spec) dir(elem ...string) string {
	return s.Config.Path(append([]string{"nodes", s.Node.Name}, elem...)...)
}

// Var is the node's /var as the host sees it.
func Var(c config.Config, node string) string { return c.Path("nodes", node, "var") }

// Start starts the node unless it runs.
func Start(ctx context.Context, s Spec) error {
	table := process.NewTable(s.Config)
	if table.Alive(s.Node.Name) {
		return nil
	}
	// What a node that died has left: on v2, groups that hand on controllers refuse
	// new processes.
	if err := cgroup.Remove(s.Cgroup(), 10*time.Second); err != nil {
		return fmt.Errorf("starting %s: %w", s.Node.Name, err)
	}
	if err := s.write(); err != nil {
		return fmt.Errorf("preparing %s: %w", s.Node.Name, err)
	}
	if err := os.MkdirAll(table.LogDir, 0o700); err != nil {
		return err
	}
	log, err := os.OpenFile(table.LogFile(s.Node.Name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.CommandContext(ctx, "/proc/self/exe", "enter", s.Cgroup(), "--", "/proc/self/exe", "node-clone", s.dir("spec.json"))
	cmd.Env = append(os.Environ(), config.Marker+"="+s.Config.RunDir)
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("starting %s: %w\n%s", s.Node.Name, err, table.Tail(s.Node.Name, 5))
	}
	r, err := table.Get(s.Node.Name)
	if err != nil {
		return fmt.Errorf("starting %s: %w", s.Node.Name, err)
	}
	return network.Connect(s.Config, s.Node, r.PID)
}

func (s Spec) write() error {
	if err := os.MkdirAll(s.dir("root"), 0o755); err != nil {
		return err
	}
	f, err := factsOf(s.Config, s.Node.Name)
	if err != nil {
		return err
	}
	files, err := s.files(f)
	if err != nil {
		return err
	}
	for name, content := range files {
		path := s.dir("etc", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, content, mode(name)); err != nil {
			return err
		}
	}
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(s.dir("spec.json"), b, 0o600)
}

// mode keeps what holds keys from everybody but root.
func mode(name string) os.FileMode {
	if strings.HasPrefix(name, "kubernetes/") {
		return 0o600
	}
	return 0o644
}

func readSpec(path string) (Spec, error) {
	var s Spec
	b, err := os.ReadFile(path)
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(b, &s)
}

// Clone is the body of the "node-clone" command: it starts Init as pid 1 of new
// namespaces, records it, and leaves. It must already be in the node's cgroup,
// which is where a new cgroup namespace is rooted.
func Clone(specFile string) error {
	s, err := readSpec(specFile)
	if err != nil {
		return err
	}
	cmd := exec.Command("/proc/self/exe", "node-init", specFile)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setsid: true,
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET |
			syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC | syscall.CLONE_NEWCGROUP,
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("making namespaces: %w", err)
	}
	r, err := process.Lookup(cmd.Process.Pid)
	if err == nil {
		err = process.NewTable(s.Config).Put(s.Node.Name, r)
	}
	if err != nil {
		_ = cmd.Process.Kill()
	}
	return err
}

// Command returns a command that will run inside of a running node.
func Command(ctx context.Context, c config.Config, node string, argv ...string) (*exec.Cmd, error) {
	r, err := process.NewTable(c).Get(node)
	if err != nil || !r.Alive() {
		return nil, fmt.Errorf("%s does not run", node)
	}
	args := []string{"--target", strconv.Itoa(r.PID), "--mount", "--pid", "--net", "--uts", "--ipc", "--cgroup", "--wd=/", "--"}
	cmd := exec.CommandContext(ctx, "nsenter", append(args, argv...)...)
	cmd.Env = append(os.Environ(), config.Marker+"="+c.RunDir, "PATH="+searchPath)
	return cmd, nil
}

// WaitRuntime waits until the node's containerd answers.
func WaitRuntime(ctx context.Context, c config.Config, node string) error {
	for {
		cmd, err := Command(ctx, c, node, "ctr", "version")
		if err != nil {
			return fmt.Errorf("%w:\n%s", err, process.NewTable(c).Tail(node, 10))
		}
		out, err := cmd.CombinedOutput()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for containerd on %s: %w\n%s", node, ctx.Err(), out)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// Load imports an image archive into the node.
func Load(ctx context.Context, c config.Config, node, archive string) error {
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	cmd, err := Command(ctx, c, node, "ctr", "--namespace", "k8s.io", "images", "import", "-")
	if err != nil {
		return err
	}
	cmd.Stdin = f
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("importing %s into %s: %w\n%s", archive, node, err, out)
	}
	return nil
}
