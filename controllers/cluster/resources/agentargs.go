package resources

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/mesos-operator/mesos-operator/api/v1alpha1"
)

// Flags of agentd that say where it keeps things on the node, which the clean-up
// reads back from a DaemonSet.
const (
	flagWorkDir     = "work_dir"
	flagRuntimeDir  = "runtime_dir"
	flagCgroupsRoot = "cgroups_root"
)

// nodeMounts is the mount namespace of the node's init, in which tasks without an
// image of their own run: the agent's pod shares the node's pid namespace.
const nodeMounts = "/proc/1/ns/mnt"

// agentArgs are the flags of agentd. The user's own come last, which the API
// keeps from naming any of these. Facts are what the
// environment tells of the node, if anything.
func agentArgs(c *v1alpha1.MesosCluster, pool v1alpha1.AgentPool, facts *NodeFacts) []string {
	args := []string{
		option("master", fmt.Sprintf("%s:%d", LeaderHost(c), MasterPort)),
		option("ip", anyAddress),
		option("port", strconv.Itoa(int(pool.Port))),
		option("advertise_ip", "$(HOST_IP)"),
		option("advertise_port", strconv.Itoa(int(pool.Port))),
		option("hostname", "$(HOST_IP)"),
		option(flagWorkDir, nodePath(workRoot, c, pool.Name)),
		option(flagRuntimeDir, nodePath(runtimeRoot, c, pool.Name)),
		option(flagCgroupsRoot, cgroupsRoot(c, pool.Name)),
		option("host_mount_namespace", nodeMounts),
		// A cgroup for each container, whatever starts it.
		option("launcher", "linux"),
		option("runtime", string(pool.Runtime)),
		option("isolation", isolation(pool.Isolation)),
		option("resources", offered(pool.Resources)),
		option("attributes", attributes(pool, facts != nil)),
		option("reconfiguration_policy", reconfiguration(facts != nil)),
	}
	if facts != nil && facts.Domain {
		args = append(args, option("domain", "$("+envNodeDomain+")"))
	}
	args = append(args, secretArgs(pool)...)
	args = append(args, agentAuthentication(c, pool)...)
	return append(args, userFlags(pool.Flags)...)
}

// reconfiguration says how an agent may come back. The API lets pools grow only, where
// Mesos's default takes any change as a reason not to start. Labels of nodes, though,
// change as they like, and an agent must not end for it.
func reconfiguration(told bool) string {
	if told {
		return "any"
	}
	return "additive"
}

func isolation(isolators []v1alpha1.Isolator) string {
	names := make([]string, 0, len(isolators))
	for _, isolator := range isolators {
		names = append(names, string(isolator))
	}
	return strings.Join(names, ",")
}

// attributes of an agent: the node and the pool, unless the user gives these
// names another meaning, the user's own, and what the node's labels become.
func attributes(pool v1alpha1.AgentPool, told bool) string {
	all := map[string]string{"node": "$(NODE_NAME)", "pool": pool.Name}
	for name, value := range pool.Attributes {
		all[name] = literal(string(value))
	}
	out := make([]string, 0, len(all))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		out = append(out, name+":"+all[name])
	}
	if told {
		out = append(out, "$("+envNodeAttributes+")")
	}
	return strings.Join(out, ";")
}

// offered writes what an agent offers as Mesos reads it, never more than its pod
// requests: cpus in thousandths, memory and disk in whole mebibytes. All four
// kinds are named: what is not, an agent takes from its machine.
func offered(r v1alpha1.AgentResources) string {
	ranges := make([]string, 0, len(r.Ports))
	for _, ports := range r.Ports {
		ranges = append(ranges, fmt.Sprintf("%d-%d", ports.Begin, ports.End))
	}
	return strings.Join([]string{
		"cpus:" + thousandths(r.CPU.MilliValue()),
		"mem:" + mebibytes(r.Memory),
		"disk:" + mebibytes(r.EphemeralStorage),
		"ports:[" + strings.Join(ranges, ",") + "]",
	}, ";")
}

func mebibytes(q resource.Quantity) string {
	return strconv.FormatInt(q.Value()>>20, 10)
}

func thousandths(milli int64) string {
	return strconv.FormatFloat(float64(milli)/1000, 'f', -1, 64)
}
