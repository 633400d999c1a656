package cluster

import (
	"net/netip"
	"os"
	"time"

	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/pki"
)

// credentials makes every certificate and kubeconfig that is missing. The names of
// users and groups are Kubernetes's own: RBAC and the Node authorizer know them.
func (k Cluster) credentials() error {
	ca, err := pki.Open(k.Config.Path("pki"), time.Now())
	if err != nil {
		return err
	}
	loopback := netip.MustParseAddr("127.0.0.1")
	ids := map[string]pki.Identity{
		"etcd":        {Name: "etcd", Hosts: []string{"localhost"}, Addrs: []netip.Addr{loopback}},
		"etcd-client": {Name: "kube-apiserver"},
		"apiserver": {
			Name: "kube-apiserver",
			Hosts: []string{
				"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
			},
			Addrs: []netip.Addr{loopback, k.Config.HostAddr(), k.Config.APIServiceAddr()},
		},
		"apiserver-kubelet":       {Name: "kube-apiserver-kubelet-client", Groups: []string{"system:masters"}},
		"admin":                   {Name: "admin", Groups: []string{"system:masters"}},
		"kube-controller-manager": {Name: "system:kube-controller-manager"},
		"kube-scheduler":          {Name: "system:kube-scheduler"},
		"kube-proxy":              {Name: "system:kube-proxy"},
	}
	users := []string{"kube-controller-manager", "kube-scheduler", "kube-proxy"}
	for _, n := range k.Config.AllNodes() {
		ids[n.Name] = pki.Identity{
			Name: "system:node:" + n.Name, Groups: []string{"system:nodes"},
			Hosts: []string{n.Name}, Addrs: []netip.Addr{n.Addr},
		}
		users = append(users, n.Name)
	}
	for name, id := range ids {
		if err := ca.Issue(name, id); err != nil {
			return err
		}
	}
	if _, _, err := ca.SigningKey("service-accounts"); err != nil {
		return err
	}
	if err := os.MkdirAll(k.Config.Path("kubeconfigs"), 0o700); err != nil {
		return err
	}
	for _, user := range users {
		if err := ca.Kubeconfig(k.Config.Path("kubeconfigs", user), k.Config.Server(), user); err != nil {
			return err
		}
	}
	return ca.Kubeconfig(k.Config.Kubeconfig(), k.Config.Server(), "admin")
}
