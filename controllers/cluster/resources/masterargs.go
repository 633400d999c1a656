package resources

import (
	"cmp"
	"fmt"
	"strconv"

	"github.com/mesos-operator/mesos-operator/api/v1alpha1"
)

// masterArgs are the flags of masterd. The user's own come last, which the API
// keeps from naming any of these.
//
// A leading master makes itself known under the leader Service's address rather
// than its pod's: agents and drivers drop messages of a master at another address
// than the one they found it by, and this one outlives the pod. It listens on every
// address of its pod, as port-forwarding arrives at the loopback one.
func masterArgs(c *v1alpha1.MesosCluster, advertise string) []string {
	args := []string{
		option("cluster", c.Name),
		option("ip", anyAddress),
		option("port", strconv.Itoa(int(MasterPort))),
		option("advertise_ip", cmp.Or(advertise, "$(POD_IP)")),
		option("advertise_port", strconv.Itoa(int(MasterPort))),
		option("hostname", "$(POD_IP)"),
		option("work_dir", masterWorkDir),
		option("registry", "raft"),
		option("raft_id", "$(POD_NAME)"),
		option("raft_address", fmt.Sprintf("%s:%d", peerHost(c, "$(POD_NAME)"), RaftPort)),
		option("raft_peers", "file://"+masterPeersDir+"/"+peersKey),
		option("kube_leader_label", v1alpha1.LabelLeader),
	}
	if d := c.Spec.FaultDomain; d != nil {
		args = append(args, option("domain", faultDomain(string(d.Region), string(d.Zone))))
	}
	args = append(args, masterAuthentication(c)...)
	return append(args, userFlags(c.Spec.Masters.Flags)...)
}

// Quorum is the majority of a number of masters.
func Quorum(replicas int32) int32 { return replicas/2 + 1 }
