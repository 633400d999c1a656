package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/network"
)

// sysctls are the settings of the whole machine that localkube or a kubelet
// changes: the kubelet has no way to leave the kernel.* and vm.* ones alone.
var sysctls = []string{
	network.Forwarding,
	"/proc/sys/kernel/keys/root_maxbytes",
	"/proc/sys/kernel/keys/root_maxkeys",
	"/proc/sys/kernel/panic",
	"/proc/sys/kernel/panic_on_oops",
	"/proc/sys/vm/overcommit_memory",
	"/proc/sys/vm/panic_on_oom",
}

func (k Cluster) sysctlFile() string { return k.Config.Path("sysctl.json") }

// saveSysctls writes the settings down unless that has been done for this cluster.
func (k Cluster) saveSysctls() error {
	if _, err := os.Stat(k.sysctlFile()); err == nil {
		return nil
	}
	values := map[string]string{}
	for _, file := range sysctls {
		b, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("saving sysctls: %w", err)
		}
		values[file] = strings.TrimSpace(string(b))
	}
	b, err := json.MarshalIndent(values, "", "  ")
	if err != nil {
		return err
	}
	tmp := filepath.Join(k.Config.RunDir, ".sysctl.json")
	if err := os.WriteFile(tmp, b, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, k.sysctlFile())
}

// restoreSysctls puts the saved settings back and makes sure that they hold.
func (k Cluster) restoreSysctls() error {
	b, err := os.ReadFile(k.sysctlFile())
	if errors.Is(err, fs.ErrNotExist) {
		return nil // nothing was changed yet
	}
	if err != nil {
		return err
	}
	var values map[string]string
	if err := json.Unmarshal(b, &values); err != nil {
		return fmt.Errorf("restoring sysctls: %w", err)
	}
	var errs []error
	for file, want := range values {
		now, err := os.ReadFile(file)
		if err == nil && strings.TrimSpace(string(now)) != want {
			err = os.WriteFile(file, []byte(want), 0)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("restoring sysctls: %w", err))
		}
	}
	return errors.Join(errs...)
}
