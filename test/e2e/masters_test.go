package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// mastersStatus is what the MesosCluster says of its masters.
type mastersStatus struct {
	Metadata struct{ Generation int64 }
	Status   struct {
		Leader     string
		Masters    struct{ Desired, Ready, Updated, Voting int }
		Conditions []struct {
			Type, Status       string
			ObservedGeneration int64
		}
	}
}

func (s mastersStatus) is(kind, status string) bool {
	for _, c := range s.Status.Conditions {
		if c.Type == kind {
			return c.Status == status && c.ObservedGeneration == s.Metadata.Generation
		}
	}
	return false
}

func (k tools) masters() mastersStatus {
	var s mastersStatus
	k.get(&s, "mesoscluster", cluster)
	return s
}

// settle waits until as many masters run, vote and are up to date, and one leads.
func (k tools) settle(masters int) mastersStatus {
	k.t.Helper()
	var s mastersStatus
	eventually(k.t, fmt.Sprintf("%d masters vote", masters), func() bool {
		s = k.masters()
		m := s.Status.Masters
		return s.is("Ready", "True") && s.is("Progressing", "False") && m.Ready == masters && m.Voting == masters && m.Updated == masters
	})
	return s
}

func (k tools) scale(masters int) {
	k.t.Helper()
	k.must("kubectl", "patch", "mesoscluster", cluster, "--type=merge", fmt.Sprintf(`--patch={"spec":{"masters":{"replicas":%d}}}`, masters))
	s := k.settle(masters)
	k.t.Logf("%d masters; %s leads", masters, s.Status.Leader)
}

// masterPods are the masters' pods and their UIDs.
func (k tools) masterPods() map[string]string {
	var list struct{ Items []pod }
	k.get(&list, "pods", "--selector=mesos.dev/cluster="+cluster+",mesos.dev/role=master")
	out := map[string]string{}
	for _, p := range list.Items {
		out[p.Metadata.Name] = p.Metadata.UID
	}
	return out
}

// The group grows and shrinks while a task runs: the registry, by which the agent has its
// ID, goes from the master that began it to those that stay. No master restarts for it.
func TestMastersScale(t *testing.T) {
	k := setUp(t)
	k.settle(1)
	for _, sizes := range [][]int{{3}, {5, 3}} {
		k.survives(func() {
			for _, n := range sizes {
				before := k.masterPods()
				k.scale(n)
				for name, uid := range k.masterPods() {
					if was, ok := before[name]; ok && was != uid {
						t.Errorf("%s was replaced by the change to %d", name, n)
					}
				}
			}
		})
	}
	t.Run("followers are upgraded before the leader", func(t *testing.T) { tools{t, k.kubeconfig, k.bin}.upgrade() })
	k.keepsAgents(func() { k.scale(1) })
	eventually(t, "only the claim of the master that stays is left", func() bool {
		out, err := k.run("kubectl", "get", "pvc", "--selector=mesos.dev/role=master", "--output=name")
		return err == nil && strings.TrimSpace(out) == "persistentvolumeclaim/data-demo-master-0"
	})
	// Who joined and left may join again: nothing is left of its first life.
	k.survives(func() { k.scale(3) })
	k.keepsAgents(func() { k.scale(1) })
}

// keepsAgents checks that the registry goes from leader to leader: the agent is known by
// its ID afterwards, and runs tasks.
func (k tools) keepsAgents(disturb func()) {
	k.t.Helper()
	before := k.activeAgents()
	disturb()
	eventually(k.t, "the agent is registered under its old ID", func() bool {
		after := k.activeAgents()
		return len(after) == 1 && slices.Equal(before, after)
	})
	if out := k.must("mesosctl", "task", "run", "--", "echo", "again"); out != "again\n" {
		k.t.Errorf("stdout %q", out)
	}
}

// upgrade changes a flag of three masters and watches in which order they are replaced.
func (k tools) upgrade() {
	k.keepsAgents(func() {
		before, leader := k.masterPods(), k.settle(3).Status.Leader
		k.must("kubectl", "patch", "mesoscluster", cluster, "--type=merge", `--patch={"spec":{"masters":{"flags":{"max_completed_frameworks":"49"}}}}`)
		var order []string
		eventually(k.t, "all masters are replaced", func() bool {
			now := k.masterPods()
			for name, uid := range before {
				if now[name] != uid && !slices.Contains(order, name) {
					order = append(order, name)
				}
			}
			return len(order) == len(before)
		})
		k.t.Logf("%s led; replaced %q", leader, order)
		if order[len(order)-1] != leader {
			k.t.Errorf("replaced %q, want %s last, which led", order, leader)
		}
		k.settle(3)
	})
}
