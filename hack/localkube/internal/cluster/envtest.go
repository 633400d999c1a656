package cluster

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/toolchain"
)

// EnvtestAssets links what controller-runtime's envtest starts, under the names it
// expects, into a folder, and Helm beside it for the tests of the chart. It needs no root and no cluster.
func (k Cluster) EnvtestAssets(ctx context.Context, folder string) error {
	etcd, err := k.Builder().Build(ctx, toolchain.Etcd)
	if err != nil {
		return err
	}
	kubernetes, err := k.Builder().Build(ctx, toolchain.Kubernetes)
	if err != nil {
		return err
	}
	helm, err := k.Builder().Build(ctx, toolchain.Helm)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for name, dir := range map[string]string{"etcd": etcd, "kube-apiserver": kubernetes, "kubectl": kubernetes, "helm": helm} {
		link := filepath.Join(folder, name)
		if err := os.Remove(link); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := os.Symlink(filepath.Join(dir, name), link); err != nil {
			return err
		}
	}
	return nil
}
