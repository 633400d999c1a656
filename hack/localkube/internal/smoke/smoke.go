// Package smoke proves on a running localkube what the project needs of Kubernetes:
// a StatefulSet with volumes that outlive its pods, headless and virtual services,
// DNS, exec and logs, and a privileged DaemonSet that reaches its node. It owns the
// namespace localkube-smoke and removes it.
package smoke

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"text/template"
	"time"

	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/config"
	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/kubectl"
	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/node"
	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/progress"
)

// Image is the name of the image with the probe program at /probe.
const Image = "localhost/localkube/probe:dev"

const namespace = "localkube-smoke"

//go:embed smoke.yaml
var manifestYAML string

// Smoke runs the test.
type Smoke struct {
	Config  config.Config
	Log     *progress.Log
	Kubectl kubectl.Kubectl
}

// Run applies the workload, checks it, and removes it, also after a failure.
func (s Smoke) Run(ctx context.Context) (err error) {
	if err := s.apply(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.step(ctx, "the namespace goes, with its volumes", s.remove)) }()
	for _, check := range []struct {
		what string
		do   func(context.Context) error
	}{
		{"pods become ready", s.ready},
		{"a volume outlives its pod", s.volume},
		{"pods find each other by headless DNS and SRV", s.headless},
		{"pods and host reach a virtual service", s.virtual},
		{"logs can be read", s.logs},
		{"a privileged pod enters its node", s.privileged},
		{"a mount in a pod reaches its node", s.propagation},
		{"a pod makes cgroups of its node", s.cgroups},
	} {
		if err := s.step(ctx, check.what, check.do); err != nil {
			return err
		}
	}
	return nil
}

func (s Smoke) step(ctx context.Context, what string, do func(context.Context) error) error {
	return s.Log.Step(ctx, what, func(ctx context.Context, _ func(string)) error {
		ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
		defer cancel()
		return do(ctx)
	})
}

func (s Smoke) apply(ctx context.Context) error {
	t, err := template.New("smoke").Parse(manifestYAML)
	if err != nil {
		return err
	}
	var b strings.Builder
	if err := t.Execute(&b, struct{ Image string }{Image}); err != nil {
		return err
	}
	_, err = s.Kubectl.RunWith(ctx, b.String(), "apply", "--namespace="+namespace, "-f", "-")
	return err
}

// kubectl runs in the test's namespace.
func (s Smoke) kubectl(ctx context.Context, args ...string) (string, error) {
	return s.Kubectl.Run(ctx, append([]string{"--namespace=" + namespace}, args...)...)
}

// probe runs the probe program in a pod ("pod/web-0", "daemonset/agent").
func (s Smoke) probe(ctx context.Context, pod string, args ...string) (string, error) {
	return s.kubectl(ctx, append([]string{"exec", pod, "--", "/probe"}, args...)...)
}

// want turns another output than the wanted one into an error.
func want(what, wanted, got string, err error) error {
	if err == nil && got != wanted {
		err = fmt.Errorf("%s: %q, want %q", what, got, wanted)
	}
	return err
}

func (s Smoke) ready(ctx context.Context) error {
	for _, workload := range []string{"statefulset/web", "daemonset/agent"} {
		if _, err := s.kubectl(ctx, "rollout", "status", workload, "--timeout=90s"); err != nil {
			all, _ := s.kubectl(ctx, "get", "pod,pvc,events")
			return fmt.Errorf("%w\n%s", err, all)
		}
	}
	return nil
}

func (s Smoke) volume(ctx context.Context) error {
	if _, err := s.probe(ctx, "pod/web-0", "write", "/data/file", "kept"); err != nil {
		return err
	}
	if _, err := s.kubectl(ctx, "delete", "pod", "web-0"); err != nil {
		return err
	}
	return kubectl.Eventually(ctx, time.Minute, func(ctx context.Context) error {
		got, err := s.probe(ctx, "pod/web-0", "read", "/data/file")
		return want("the file after the pod was replaced", "kept", got, err)
	})
}

func (s Smoke) headless(ctx context.Context) error {
	const domain = "web." + namespace + ".svc.cluster.local"
	return kubectl.Eventually(ctx, 30*time.Second, func(ctx context.Context) error {
		ip, err := s.kubectl(ctx, "get", "pod", "web-1", "--output=jsonpath={.status.podIP}")
		if err != nil {
			return err
		}
		got, err := s.probe(ctx, "pod/web-0", "lookup", "web-1."+domain)
		if err := want("the address of web-1", ip, got, err); err != nil {
			return err
		}
		got, err = s.probe(ctx, "pod/web-0", "srv", "_http._tcp."+domain)
		if err == nil && strings.Count(got, "."+domain+".:8080") != 2 {
			err = fmt.Errorf("SRV records %q, want both pods with port 8080", got)
		}
		return err
	})
}

func (s Smoke) virtual(ctx context.Context) error {
	ip, err := s.kubectl(ctx, "get", "service", "web-vip", "--output=jsonpath={.spec.clusterIP}")
	if err != nil {
		return err
	}
	return kubectl.Eventually(ctx, 30*time.Second, func(ctx context.Context) error {
		got, err := s.probe(ctx, "daemonset/agent", "get", "http://web-vip."+namespace+".svc.cluster.local")
		if err == nil && !strings.HasPrefix(got, "web-") {
			err = fmt.Errorf("the service answered %q, want a pod's name", got)
		}
		if err != nil {
			return err
		}
		return fromHost(ctx, "http://"+ip)
	})
}

func fromHost(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := (&http.Client{Timeout: 2 * time.Second}).Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1024))
	if err == nil && !strings.HasPrefix(string(b), "web-") {
		err = fmt.Errorf("from the host, the service answered %q", b)
	}
	return err
}

func (s Smoke) logs(ctx context.Context) error {
	got, err := s.kubectl(ctx, "logs", "web-1")
	if err == nil && !strings.Contains(got, "web-1 serves on :8080") {
		err = fmt.Errorf("log is %q", got)
	}
	return err
}

func (s Smoke) privileged(ctx context.Context) error {
	pod, err := s.nodePod(ctx, "node1")
	if err != nil {
		return err
	}
	got, err := s.probe(ctx, pod, "host", "/usr/bin/hostname")
	return want("the host name in process 1's namespaces", "node1", strings.TrimSpace(got), err)
}

// nodePod is the DaemonSet's pod on a node.
func (s Smoke) nodePod(ctx context.Context, nodeName string) (string, error) {
	return s.kubectl(ctx, "get", "pod", "--selector=app=agent", "--field-selector=spec.nodeName="+nodeName, "--output=name")
}

func (s Smoke) propagation(ctx context.Context) error {
	pod, err := s.nodePod(ctx, "node1")
	if err != nil {
		return err
	}
	if _, err := s.probe(ctx, pod, "mount", "/work/mnt"); err != nil {
		return err
	}
	cmd, err := node.Command(ctx, s.Config, "node1", "cat", "/proc/mounts")
	if err != nil {
		return err
	}
	mounts, err := cmd.Output()
	if err == nil && !strings.Contains(string(mounts), "probe /var/lib/localkube-smoke/mnt tmpfs") {
		err = errors.New("the node does not see the pod's mount")
	}
	_, umount := s.probe(ctx, pod, "umount", "/work/mnt")
	return errors.Join(err, umount)
}

func (s Smoke) cgroups(ctx context.Context) error {
	pod, err := s.nodePod(ctx, "node1")
	if err != nil {
		return err
	}
	group := "/sys/fs/cgroup/memory/localkube-smoke"
	if _, err := os.Stat("/sys/fs/cgroup/memory"); err != nil { // cgroup v2
		group = "/sys/fs/cgroup/localkube-smoke"
	}
	if _, err := s.probe(ctx, pod, "host", "/usr/bin/mkdir", group); err != nil {
		return err
	}
	// What is the root to the pod is the node's group to the host.
	seen, err := filepath.Glob("/sys/fs/cgroup/*/localkube/node1/localkube-smoke")
	if v2, _ := filepath.Glob("/sys/fs/cgroup/localkube/node1/localkube-smoke"); err == nil && len(seen)+len(v2) == 0 {
		err = errors.New("the host does not see the pod's group below the node's")
	}
	_, rmdir := s.probe(ctx, pod, "host", "/usr/bin/rmdir", group)
	return errors.Join(err, rmdir)
}

func (s Smoke) remove(ctx context.Context) error {
	if _, err := s.kubectl(ctx, "delete", "namespace", namespace, "--timeout=90s"); err != nil {
		return err
	}
	return kubectl.Eventually(ctx, 30*time.Second, func(ctx context.Context) error {
		got, err := s.Kubectl.Run(ctx, "get", "persistentvolume",
			"--output=jsonpath={range .items[?(@.spec.claimRef.namespace==\""+namespace+"\")]}{.metadata.name} {end}")
		return want("volumes that are left", "", strings.TrimSpace(got), err)
	})
}
