package node

import (
	"bufio"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/config"
)

// PauseImage holds a pod's namespaces open.
const PauseImage = "localhost/localkube/pause:1"

// facts are what a node's files depend on beside its Spec.
type facts struct {
	// resolvers are name servers that can be reached from inside a node.
	resolvers []netip.Addr
	// memory is the machine's, in bytes.
	memory uint64
	// openFiles is the hard limit of this process, which the kubelet can't raise
	// without CAP_SYS_RESOURCE.
	openFiles uint64
	// overlay tells whether the run folder can carry overlay mounts; one that is on
	// an overlay itself can't.
	overlay bool
	// The authority's certificate, and the node's own with its key, in PEM.
	ca, cert, key []byte
	// The kubeconfigs of the node's programs.
	kubeletConfig, proxyConfig []byte
}

// factsOf gathers them. The credentials must have been made before, under the
// node's name.
func factsOf(c config.Config, node string) (facts, error) {
	var f facts
	for file, content := range map[string]*[]byte{
		c.Path("pki", "ca.crt"):             &f.ca,
		c.Path("pki", node+".crt"):          &f.cert,
		c.Path("pki", node+".key"):          &f.key,
		c.Path("kubeconfigs", node):         &f.kubeletConfig,
		c.Path("kubeconfigs", "kube-proxy"): &f.proxyConfig,
	} {
		var err error
		if *content, err = os.ReadFile(file); err != nil {
			return f, err
		}
	}
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return f, err
	}
	f.memory = info.Totalram * uint64(info.Unit)
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return f, err
	}
	f.openFiles = limit.Max
	var fs unix.Statfs_t
	if err := unix.Statfs(c.RunDir, &fs); err != nil {
		return f, err
	}
	f.overlay = fs.Type != unix.OVERLAYFS_SUPER_MAGIC
	f.resolvers = Resolvers()
	return f, nil
}

// Resolvers returns the host's name servers that a node can reach: not those on the
// host's loopback, and at most the three that resolv.conf(5) allows.
func Resolvers() []netip.Addr {
	b, _ := os.ReadFile("/etc/resolv.conf")
	return parseResolvers(string(b))
}

func parseResolvers(conf string) []netip.Addr {
	var addrs []netip.Addr
	for s := bufio.NewScanner(strings.NewReader(conf)); s.Scan(); {
		f := strings.Fields(s.Text())
		if len(f) < 2 || f[0] != "nameserver" {
			continue
		}
		a, err := netip.ParseAddr(f[1])
		if err == nil && !a.IsLoopback() && a.Is4() && len(addrs) < 3 {
			addrs = append(addrs, a)
		}
	}
	return addrs
}

// files renders what the node finds in /etc, by path below it.
func (s Spec) files(f facts) (map[string][]byte, error) {
	kubelet, err := json.MarshalIndent(s.kubelet(f), "", "  ")
	if err != nil {
		return nil, err
	}
	proxy, err := json.MarshalIndent(s.proxy(), "", "  ")
	if err != nil {
		return nil, err
	}
	cni, err := json.MarshalIndent(s.cni(), "", "  ")
	if err != nil {
		return nil, err
	}
	return map[string][]byte{
		"hostname":                         []byte(s.Node.Name + "\n"),
		"machine-id":                       machineID(s),
		"hosts":                            fmt.Appendf(nil, "127.0.0.1 localhost\n%s %s\n", s.Node.Addr, s.Node.Name),
		"resolv.conf":                      resolvConf(f.resolvers),
		"containerd/config.toml":           []byte(containerd(f)),
		"cni/net.d/10-localkube.conflist":  cni,
		"kubernetes/kubelet.json":          kubelet,
		"kubernetes/kube-proxy.json":       proxy,
		"kubernetes/ca.crt":                f.ca,
		"kubernetes/kubelet.crt":           f.cert,
		"kubernetes/kubelet.key":           f.key,
		"kubernetes/kubelet.kubeconfig":    f.kubeletConfig,
		"kubernetes/kube-proxy.kubeconfig": f.proxyConfig,
	}, nil
}

// machineID is stable over restarts of a node and differs between nodes, see
// machine-id(5).
func machineID(s Spec) []byte {
	h := sha256.Sum256([]byte(s.dir()))
	return fmt.Appendf(nil, "%x\n", h[:16])
}

func resolvConf(addrs []netip.Addr) []byte {
	var b []byte
	for _, a := range addrs {
		b = fmt.Appendf(b, "nameserver %s\n", a)
	}
	return b
}

// containerd is the configuration of containerd 1.6, which Debian 12 has. Its
// default folders are the node's own.
func containerd(f facts) string {
	snapshotter := "overlayfs"
	if !f.overlay {
		snapshotter = "native"
	}
	// restrict_oom_score_adj: a process without CAP_SYS_RESOURCE can't lower a
	// container's score below its own.
	return fmt.Sprintf(`version = 2

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = %q
  restrict_oom_score_adj = true

  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "/etc/cni/net.d"

  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = %q
    default_runtime_name = "runc"

    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"

      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        BinaryName = "/usr/sbin/runc"
        SystemdCgroup = false
`, PauseImage, snapshotter)
}

type object = map[string]any

// cni connects pods to a bridge in the node. Nodes route between their bridges, so
// nothing is masqueraded here.
func (s Spec) cni() object {
	return object{
		"cniVersion": "1.0.0",
		"name":       config.Name,
		"plugins": []object{
			{
				"type": "bridge", "bridge": "pods", "isGateway": true, "hairpinMode": true,
				"ipam": object{
					"type":   "host-local",
					"ranges": [][]object{{{"subnet": s.Node.PodCIDR.String()}}},
					"routes": []object{{"dst": "0.0.0.0/0"}},
				},
			},
			{"type": "portmap", "capabilities": object{"portMappings": true}},
		},
	}
}

// reserved is what of the machine is kept from pods. A node sees the whole machine,
// but the control plane, builds and tests run beside it.
func reserved(memory uint64) object {
	const mi = 1 << 20
	return object{"cpu": "200m", "memory": fmt.Sprintf("%dMi", min(memory/4, 4096*mi)/mi)}
}

func (s Spec) kubelet(f facts) object {
	return object{
		"apiVersion":    "kubelet.config.k8s.io/v1beta1",
		"kind":          "KubeletConfiguration",
		"address":       s.Node.Addr.String(),
		"tlsCertFile":   "/etc/kubernetes/kubelet.crt",
		"authorization": object{"mode": "Webhook"},
		"authentication": object{
			"anonymous": object{"enabled": false},
			"webhook":   object{"enabled": true},
			"x509":      object{"clientCAFile": "/etc/kubernetes/ca.crt"},
		},
		"tlsPrivateKeyFile":        "/etc/kubernetes/kubelet.key",
		"containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
		"cgroupDriver":             "cgroupfs",
		"cgroupRoot":               "/",
		"failCgroupV1":             false,
		"failSwapOn":               false,
		"clusterDomain":            "cluster.local",
		"clusterDNS":               []string{s.Config.DNSAddr().String()},
		"resolvConf":               "/etc/resolv.conf",
		"systemReserved":           reserved(f.memory),
		"maxOpenFiles":             min(f.openFiles, 1_000_000),       // 1,000,000 is the kubelet's default
		"volumePluginDir":          "/var/lib/kubelet/volume-plugins", // the default is below /usr
		// The disk is shared with the rest of the machine: pods are not evicted, nor
		// loaded images removed, because something else fills it.
		"imageGCHighThresholdPercent": 100,
		"evictionHard": object{
			"memory.available": "100Mi", "nodefs.available": "1%", "nodefs.inodesFree": "1%", "imagefs.available": "1%",
		},
		// A dead node is noticed within seconds; see the controller manager's flags.
		"nodeStatusUpdateFrequency": "4s",
		"nodeLeaseDurationSeconds":  16,
		"serializeImagePulls":       false,
	}
}

func (s Spec) proxy() object {
	return object{
		"apiVersion":         "kubeproxy.config.k8s.io/v1alpha1",
		"kind":               "KubeProxyConfiguration",
		"mode":               "iptables",
		"clusterCIDR":        s.Config.PodCIDR.String(),
		"bindAddress":        s.Node.Addr.String(),
		"healthzBindAddress": "127.0.0.1:10256",
		"metricsBindAddress": "127.0.0.1:10249",
		"clientConnection":   object{"kubeconfig": "/etc/kubernetes/kube-proxy.kubeconfig"},
		// Zero leaves the kernel's limits, which are the whole machine's, alone.
		"conntrack": object{"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
	}
}
