// Package cluster brings a localkube up and down: it is the order in which the other
// packages are used. It owns the run folder:
//
//	kubeconfig     the administrator's
//	kubeconfigs/   those of the programs
//	pki/           keys and certificates
//	etcd/          etcd's data
//	nodes/NAME/    a folder a node, see package node
//	pids/, log/    see package process
//	sysctl.json    the machine's settings as they were
package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/api"
	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/config"
	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/kubectl"
	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/process"
	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/progress"
	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/toolchain"
)

// controlPlane is the cgroup of the programs in the host's namespaces.
const controlPlane = config.Name + "/control-plane"

// Cluster is one localkube.
type Cluster struct {
	Config config.Config
	Log    *progress.Log
}

// Builder returns what builds programs into the cluster's cache.
func (k Cluster) Builder() toolchain.Builder { return toolchain.Builder{Config: k.Config, Log: k.Log} }

func (k Cluster) table() process.Table { return process.NewTable(k.Config) }

// pki is a file of the pki folder.
func (k Cluster) pki(name string) string { return k.Config.Path("pki", name) }

// Client returns a client with the administrator's rights.
func (k Cluster) Client() (*api.Client, error) {
	return api.New(k.Config.Server(), k.pki("ca.crt"), k.pki("admin.crt"), k.pki("admin.key"))
}

// Kubectl returns the kubectl that is built with the cluster, with the
// administrator's rights.
func (k Cluster) Kubectl(ctx context.Context) (kubectl.Kubectl, error) {
	dir, err := k.Builder().Build(ctx, toolchain.Kubernetes)
	return kubectl.Kubectl{Binary: filepath.Join(dir, "kubectl"), Kubeconfig: k.Config.Kubeconfig()}, err
}

// ErrNotRoot says that a command needs root.
var ErrNotRoot = errors.New("namespaces, mounts and cgroups need root")

// lock keeps two commands that change the cluster from running at once. The lock is
// on the folder above the run folder, since the run folder itself comes and goes.
func (k Cluster) lock() (unlock func(), err error) {
	if os.Geteuid() != 0 {
		return nil, ErrNotRoot
	}
	dir := filepath.Dir(k.Config.RunDir)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("another localkube command is at work on %s: %w", k.Config.RunDir, err)
	}
	return func() { f.Close() }, nil
}

// exists tells whether there is state of a cluster.
func (k Cluster) exists() bool {
	_, err := os.Stat(k.Config.RunDir)
	return !errors.Is(err, fs.ErrNotExist)
}
