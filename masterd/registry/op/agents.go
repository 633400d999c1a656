package op

import (
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages/registry"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// AdmitAgent adds an agent that registers for the first time. Its ID must be
// new: ErrAdmitted, ErrGone.
type AdmitAgent struct{ Info *mesos.AgentInfo }

// UpdateAgent replaces what is known of an admitted agent: ErrUnknownAgent.
type UpdateAgent struct{ Info *mesos.AgentInfo }

// MarkUnreachable moves an admitted agent to the unreachable ones:
// ErrUnknownAgent.
type MarkUnreachable struct {
	ID    *mesos.AgentID
	Since *mesos.TimeInfo
}

// MarkReachable makes an agent an admitted one again. One that the registry
// doesn't know any more, because it was swept, is admitted as well; only gone
// ones never are: ErrGone.
type MarkReachable struct{ Info *mesos.AgentInfo }

// RemoveAgent forgets an admitted agent: ErrUnknownAgent.
type RemoveAgent struct{ ID *mesos.AgentID }

// MarkGone moves an admitted or unreachable agent to the gone ones: ErrGone,
// ErrUnknownAgent.
type MarkGone struct {
	ID    *mesos.AgentID
	Since *mesos.TimeInfo
}

// Prune forgets unreachable and gone agents. Those that are in neither list
// any more are passed over.
type Prune struct {
	Unreachable, Gone []*mesos.AgentID
}

func (o AdmitAgent) apply(b *book) (bool, error) {
	id := o.Info.GetId().GetValue()
	switch {
	case b.admitted(id) != nil, b.unreachable(id) != nil:
		return false, ErrAdmitted
	case b.isGone(id):
		return false, ErrGone
	}
	b.setAdmitted(&registry.Registry_Slave{Info: o.Info})
	return true, nil
}

func (o UpdateAgent) apply(b *book) (bool, error) {
	old := b.admitted(o.Info.GetId().GetValue())
	if old == nil {
		return false, ErrUnknownAgent
	}
	if proto.Equal(old.Info, o.Info) {
		return false, nil
	}
	b.setAdmitted(&registry.Registry_Slave{Info: o.Info, DrainInfo: old.DrainInfo, Deactivated: old.Deactivated})
	return true, nil
}

func (o MarkUnreachable) apply(b *book) (bool, error) {
	id := o.ID.GetValue()
	s := b.admitted(id)
	if s == nil {
		return false, ErrUnknownAgent
	}
	b.dropAdmitted(id)
	b.setUnreachable(&registry.Registry_UnreachableSlave{
		Id: o.ID, Timestamp: o.Since, DrainInfo: s.DrainInfo, Deactivated: s.Deactivated,
	})
	return true, nil
}

func (o MarkReachable) apply(b *book) (bool, error) {
	id := o.Info.GetId().GetValue()
	switch {
	case b.admitted(id) != nil:
		return false, nil
	case b.isGone(id):
		return false, ErrGone
	}
	s := &registry.Registry_Slave{Info: o.Info}
	if u := b.unreachable(id); u != nil {
		s.DrainInfo, s.Deactivated = u.DrainInfo, u.Deactivated
		b.dropUnreachable(id)
	}
	b.setAdmitted(s)
	return true, nil
}

func (o RemoveAgent) apply(b *book) (bool, error) {
	id := o.ID.GetValue()
	if b.admitted(id) == nil {
		return false, ErrUnknownAgent
	}
	b.dropAdmitted(id)
	return true, nil
}

func (o MarkGone) apply(b *book) (bool, error) {
	id := o.ID.GetValue()
	switch {
	case b.isGone(id):
		return false, ErrGone
	case b.admitted(id) != nil:
		b.dropAdmitted(id)
	case b.unreachable(id) != nil:
		b.dropUnreachable(id)
	default:
		return false, ErrUnknownAgent
	}
	if b.r.Gone == nil {
		b.r.Gone = &registry.Registry_GoneSlaves{}
	}
	b.r.Gone.Slaves = append(b.r.Gone.Slaves, &registry.Registry_GoneSlave{Id: o.ID, Timestamp: o.Since})
	b.ix.gone[id] = struct{}{}
	return true, nil
}

func (o Prune) apply(b *book) (bool, error) {
	mutated := false
	for _, id := range o.Unreachable {
		if b.unreachable(id.GetValue()) != nil {
			b.dropUnreachable(id.GetValue())
			mutated = true
		}
	}
	pruned := map[string]struct{}{}
	for _, id := range o.Gone {
		if b.isGone(id.GetValue()) {
			pruned[id.GetValue()] = struct{}{}
			delete(b.ix.gone, id.GetValue())
		}
	}
	if len(pruned) == 0 {
		return mutated, nil
	}
	b.r.Gone.Slaves = slices.DeleteFunc(slices.Clone(b.r.Gone.Slaves), func(g *registry.Registry_GoneSlave) bool {
		_, ok := pruned[g.GetId().GetValue()]
		return ok
	})
	return true, nil
}
