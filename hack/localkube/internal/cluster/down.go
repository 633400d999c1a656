package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/cgroup"
	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/config"
	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/network"
	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/process"
)

// Down removes everything that Up has made but the packages and the cache, whatever
// state it is in. It goes on after a failure and reports all of them.
func (k Cluster) Down(ctx context.Context) error {
	unlock, err := k.lock()
	if err != nil {
		return err
	}
	defer unlock()
	return k.Log.Step(ctx, "taking the cluster down", func(ctx context.Context, say func(string)) error {
		steps := []struct {
			what string
			do   func() error
		}{
			{"stopping processes", k.stopRecorded},
			{"stopping what else runs in its cgroups", k.stopStrays},
			{"unmounting", k.unmount},
			{"removing links and rules", func() error { return network.Down(ctx) }},
			{"removing cgroups", func() error { return cgroup.Remove(config.Name, 20*time.Second) }},
			{"restoring sysctls", k.restoreSysctls},
		}
		var errs []error
		for _, s := range steps {
			say(s.what)
			if err := s.do(); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", s.what, err))
			}
		}
		if len(errs) > 0 { // the state is needed for another try
			return errors.Join(errs...)
		}
		return k.removeState()
	})
}

// stopRecorded kills: the state that an orderly end would save is removed next. The
// order is that of killing a machine's parts least noisily: nodes before the API
// server, etcd last.
func (k Cluster) stopRecorded() error {
	names, err := k.table().Names()
	if err != nil {
		return err
	}
	rank := func(name string) int {
		return slices.Index([]string{"volumes", "kube-scheduler", "kube-controller-manager", "kube-apiserver", "etcd"}, name)
	}
	slices.SortStableFunc(names, func(a, b string) int { return rank(a) - rank(b) })
	var errs []error
	for _, n := range names {
		errs = append(errs, k.table().Stop(n, syscall.SIGKILL, 10*time.Second))
	}
	return errors.Join(errs...)
}

// stopStrays ends what was started but not recorded, by an Up that was itself killed.
func (k Cluster) stopStrays() error {
	pids, err := k.strays()
	if err != nil {
		return err
	}
	var errs []error
	for _, pid := range pids {
		if r, err := process.Lookup(pid); err == nil {
			errs = append(errs, r.Stop(syscall.SIGKILL, 10*time.Second))
		}
	}
	return errors.Join(errs...)
}

// strays are live processes in our cgroups, or with our marker in their environment.
func (k Cluster) strays() ([]int, error) {
	pids, err := cgroup.Procs(config.Name)
	if err != nil {
		return nil, err
	}
	err = eachProcess(func(pid int) {
		env, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if bytes.Contains(append([]byte{0}, env...), []byte("\x00"+config.Marker+"="+k.Config.RunDir+"\x00")) {
			pids = append(pids, pid)
		}
	})
	slices.Sort(pids)
	return slices.DeleteFunc(slices.Compact(pids), func(pid int) bool {
		_, err := process.Lookup(pid)
		return err != nil || pid == os.Getpid()
	}), err
}

func eachProcess(do func(pid int)) error {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return err
	}
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			do(pid)
		}
	}
	return nil
}

// mounts returns the mount points at or below the run folder, deepest first. There
// are none on the host unless somebody made them: nodes mount in their own namespace.
func (k Cluster) mounts() ([]string, error) {
	b, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return nil, err
	}
	var found []string
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 1 && within(f[1], k.Config.RunDir) {
			found = append(found, f[1])
		}
	}
	slices.Reverse(found)
	return found, nil
}

func within(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }

func (k Cluster) unmount() error {
	mounts, err := k.mounts()
	if err != nil {
		return err
	}
	var errs []error
	for _, m := range mounts {
		if err := unix.Unmount(m, unix.MNT_DETACH); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", m, err))
		}
	}
	return errors.Join(errs...)
}

// removeState removes the run folder, unless something is mounted below it, whose
// content must not be lost, and the folder above it if that is empty.
func (k Cluster) removeState() error {
	mounts, err := k.mounts()
	if err != nil {
		return err
	}
	if len(mounts) > 0 {
		return fmt.Errorf("not removing %s: still mounted: %s", k.Config.RunDir, strings.Join(mounts, ", "))
	}
	if err := os.RemoveAll(k.Config.RunDir); err != nil {
		return err
	}
	_ = os.Remove(filepath.Dir(k.Config.RunDir)) // fails where it holds something else
	return nil
}

// Purge removes the cache of binaries and images.
func (k Cluster) Purge() error { return os.RemoveAll(k.Config.CacheDir) }
