package cluster

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/cgroup"
	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/config"
	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/network"
	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/node"
)

// Leftovers lists all of localkube's that is on the machine: after Down it must be
// empty. It looks at the machine, not at records, so that what was never recorded
// or was forgotten is found too:
//
//   - processes in our cgroups, with our marker in their environment, or in a node's
//     mount namespace (however they came there, and whatever cgroup they moved to),
//     by which network, pid and IPC namespaces are found as well
//   - mounts below the run folder
//   - cgroups, links, routes and firewall rules under our names and addresses
//   - the run folder
func (k Cluster) Leftovers(ctx context.Context) ([]string, error) {
	var found []string
	pids, err := k.strays()
	if err != nil {
		return nil, err
	}
	inNodes, err := inNodes()
	if err != nil {
		return nil, err
	}
	pids = append(pids, inNodes...)
	slices.Sort(pids)
	for _, pid := range slices.Compact(pids) {
		found = append(found, fmt.Sprintf("process %d (%s)", pid, commandLine(pid)))
	}
	mounts, err := k.mounts()
	if err != nil {
		return nil, err
	}
	for _, m := range mounts {
		found = append(found, "mount "+m)
	}
	dirs, err := cgroup.Dirs(config.Name)
	if err != nil {
		return nil, err
	}
	found = append(found, groups(dirs)...)
	net, err := network.Leftovers(ctx, k.Config)
	if err != nil {
		return nil, err
	}
	found = append(found, net...)
	if k.exists() {
		found = append(found, "folder "+k.Config.RunDir)
	}
	return found, nil
}

// groups names the topmost cgroups, and how many there are below each.
func groups(dirs []string) []string {
	below, tops := map[string]int{}, []string{}
	for _, d := range dirs {
		root, _, _ := strings.Cut(d+"/", "/"+config.Name+"/")
		top := root + "/" + config.Name
		if below[top]++; below[top] == 1 {
			tops = append(tops, top)
		}
	}
	slices.Sort(tops)
	for i, top := range tops {
		tops[i] = fmt.Sprintf("cgroup %s with %d below", top, below[top]-1)
	}
	return tops
}

// inNodes returns the processes that see a node's mounts.
func inNodes() ([]int, error) {
	var pids []int
	err := eachProcess(func(pid int) {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/mounts", pid))
		if bytes.Contains(b, []byte(node.TmpfsSource+" ")) {
			pids = append(pids, pid)
		}
	})
	return pids, err
}

func commandLine(pid int) string {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	s := strings.TrimSpace(strings.ReplaceAll(string(b), "\x00", " "))
	return s[:min(len(s), 100)]
}

// Status writes what runs, a line each.
func (k Cluster) Status() ([]string, error) {
	names, err := k.table().Names()
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, n := range names {
		r, err := k.table().Get(n)
		if err != nil {
			return nil, err
		}
		state := "ended"
		if r.Alive() {
			state = "running"
		}
		lines = append(lines, fmt.Sprintf("%-24s %-8s pid %-8d %s", n, state, r.PID, k.table().LogFile(n)))
	}
	return lines, nil
}
