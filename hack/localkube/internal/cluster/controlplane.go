package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/config"
)

// etcdClients is where etcd serves the API server. Not the usual port: tests start
// etcd servers of their own there.
const (
	etcdClients = "https://127.0.0.1:12379"
	etcdPeers   = "https://127.0.0.1:12380"
)

// program is a daemon in the host's namespaces.
type program struct {
	name string
	argv []string
	// ready tells whether it does its work; nil means that nothing waits for it.
	ready func(ctx context.Context) error
}

// dirs are the folders with the built programs.
type dirs struct{ kubernetes, etcd, coredns, pause string }

// controlPlane starts the programs in order, each once those before it are ready.
func (k Cluster) controlPlane(ctx context.Context, d dirs) error {
	programs, err := k.programs(d)
	if err != nil {
		return err
	}
	for _, p := range programs {
		if k.table().Alive(p.name) && (p.ready == nil || p.ready(ctx) == nil) {
			continue
		}
		if err := k.table().Start(k.Config, p.name, controlPlane, p.argv...); err != nil {
			return err
		}
		if p.ready == nil {
			continue
		}
		err := k.Log.Step(ctx, "starting "+p.name, func(ctx context.Context, _ func(string)) error {
			return k.await(ctx, p, time.Minute)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// await waits for the program to be ready, and gives up early if it ends.
func (k Cluster) await(ctx context.Context, p program, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		err := p.ready(ctx)
		if err == nil {
			return nil
		}
		if !k.table().Alive(p.name) {
			return fmt.Errorf("it has ended; its last lines:\n%s", k.table().Tail(p.name, 10))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not ready after %s: %w; its last lines:\n%s", limit, err, k.table().Tail(p.name, 10))
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (k Cluster) programs(d dirs) ([]program, error) {
	client, err := k.Client()
	if err != nil {
		return nil, err
	}
	etcd, err := k.etcdClient()
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	bin := func(name string) string { return filepath.Join(d.kubernetes, name) }
	return []program{
		{
			name:  "etcd",
			argv:  k.etcdArgs(filepath.Join(d.etcd, "etcd")),
			ready: func(ctx context.Context) error { return get(ctx, etcd, etcdClients+"/health") },
		},
		{
			name:  "kube-apiserver",
			argv:  k.apiserverArgs(bin("kube-apiserver")),
			ready: func(ctx context.Context) error { return client.Do(ctx, http.MethodGet, "/readyz", nil, nil) },
		},
		{name: "kube-controller-manager", argv: k.controllerManagerArgs(bin("kube-controller-manager"))},
		{name: "kube-scheduler", argv: k.loopbackArgs(bin("kube-scheduler"))},
		{name: "volumes", argv: []string{self, "volumes", "--run=" + k.Config.RunDir, "--cache=" + k.Config.CacheDir, "--repo=" + k.Config.RepoDir}},
	}, nil
}

func (k Cluster) etcdArgs(binary string) []string {
	return []string{
		binary, "--name=" + config.Name, "--data-dir=" + k.Config.Path("etcd"), "--log-level=warn",
		"--unsafe-no-fsync", // the data is gone with the cluster
		"--listen-client-urls=" + etcdClients, "--advertise-client-urls=" + etcdClients,
		"--listen-peer-urls=" + etcdPeers, "--initial-advertise-peer-urls=" + etcdPeers,
		"--initial-cluster=" + config.Name + "=" + etcdPeers,
		"--client-cert-auth", "--trusted-ca-file=" + k.pki("ca.crt"),
		"--cert-file=" + k.pki("etcd.crt"), "--key-file=" + k.pki("etcd.key"),
		"--peer-client-cert-auth", "--peer-trusted-ca-file=" + k.pki("ca.crt"),
		"--peer-cert-file=" + k.pki("etcd.crt"), "--peer-key-file=" + k.pki("etcd.key"),
	}
}

func (k Cluster) apiserverArgs(binary string) []string {
	addr := k.Config.HostAddr().String()
	return []string{
		binary, "--bind-address=" + addr, "--advertise-address=" + addr, "--secure-port=6443",
		"--etcd-servers=" + etcdClients, "--etcd-cafile=" + k.pki("ca.crt"),
		"--etcd-certfile=" + k.pki("etcd-client.crt"), "--etcd-keyfile=" + k.pki("etcd-client.key"),
		"--tls-cert-file=" + k.pki("apiserver.crt"), "--tls-private-key-file=" + k.pki("apiserver.key"),
		"--client-ca-file=" + k.pki("ca.crt"), "--cert-dir=" + k.Config.Path("apiserver"),
		"--kubelet-certificate-authority=" + k.pki("ca.crt"), "--kubelet-preferred-address-types=InternalIP",
		"--kubelet-client-certificate=" + k.pki("apiserver-kubelet.crt"), "--kubelet-client-key=" + k.pki("apiserver-kubelet.key"),
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file=" + k.pki("service-accounts.pub"),
		"--service-account-signing-key-file=" + k.pki("service-accounts.key"),
		"--service-cluster-ip-range=" + k.Config.ServiceCIDR.String(),
		"--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction",
		"--allow-privileged=true", "--profiling=false",
	}
}

// loopbackArgs are what controller manager and scheduler have in common: alone, so
// without leader election, and serving health and metrics to this machine only.
func (k Cluster) loopbackArgs(binary string) []string {
	kubeconfig := k.Config.Path("kubeconfigs", filepath.Base(binary))
	return []string{
		binary, "--kubeconfig=" + kubeconfig, "--authentication-kubeconfig=" + kubeconfig, "--authorization-kubeconfig=" + kubeconfig,
		"--bind-address=127.0.0.1", "--cert-dir=" + k.Config.Path(filepath.Base(binary)), "--leader-elect=false", "--profiling=false",
	}
}

func (k Cluster) controllerManagerArgs(binary string) []string {
	return append(k.loopbackArgs(binary),
		"--use-service-account-credentials", "--root-ca-file="+k.pki("ca.crt"),
		"--service-account-private-key-file="+k.pki("service-accounts.key"),
		"--cluster-signing-cert-file="+k.pki("ca.crt"), "--cluster-signing-key-file="+k.pki("ca.key"),
		// Faster than the defaults, so that tests of node failures don't take minutes.
		// The grace period is four of the kubelet's status periods.
		"--node-monitor-period=2s", "--node-monitor-grace-period=16s",
	)
}

func (k Cluster) etcdClient() (*http.Client, error) {
	ca, err := os.ReadFile(k.pki("ca.crt"))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		return nil, errors.New("the authority's file holds no certificate")
	}
	cert, err := tls.LoadX509KeyPair(k.pki("etcd-client.crt"), k.pki("etcd-client.key"))
	if err != nil {
		return nil, err
	}
	return &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{cert}},
	}}, nil
}

func get(ctx context.Context, c *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := c.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, resp.Status)
	}
	return nil
}
