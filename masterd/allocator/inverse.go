package allocator

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// UpdateUnavailability implements Allocator. Filters for inverse offers of the agent are dropped:
// frameworks shall think again.
func (h *Hierarchical) UpdateUnavailability(id AgentID, u *mesos.Unavailability) (bool, error) {
	a, err := h.agent("scheduling maintenance of", id)
	if err != nil {
		return false, err
	}
	h.schedule(a, u)
	for _, fw := range h.frameworks {
		delete(fw.inverseFilters, id)
	}
	h.nominate(a)
	return !h.held, nil
}

// schedule replaces when the agent will be away. Whom it was asked of has to be asked again.
func (h *Hierarchical) schedule(a *agent, u *mesos.Unavailability) {
	a.unavailability, a.asked = u, nil
	i, found := slices.BinarySearchFunc(h.scheduled, a.id, func(x *agent, id AgentID) int { return cmp.Compare(x.id, id) })
	switch {
	case u != nil && !found:
		h.scheduled = slices.Insert(h.scheduled, i, a)
	case u == nil && found:
		h.scheduled = slices.Delete(h.scheduled, i, i+1)
	}
}

// UpdateInverseOffer implements Allocator.
func (h *Hierarchical) UpdateInverseOffer(id FrameworkID, agentID AgentID, f *mesos.Filters, now time.Time) error {
	a, err := h.agent("answering an inverse offer of", agentID)
	if err != nil {
		return err
	}
	fw := h.frameworks[id]
	if fw == nil {
		return fmt.Errorf("answering an inverse offer of framework %s: %w", id, ErrUnknownFramework)
	}
	delete(a.asked, id)
	if f == nil {
		return nil
	}
	if d := refusal(f, 0); d > 0 {
		if fw.inverseFilters == nil {
			fw.inverseFilters = map[AgentID]int64{}
		}
		fw.inverseFilters[agentID] = now.Add(d).UnixNano()
	}
	return nil
}

// InverseOffers implements Allocator. A framework that holds something on an agent with scheduled
// maintenance is asked, unless it still has to answer or doesn't want to be asked for a while.
func (h *Hierarchical) InverseOffers(now time.Time) []InverseProposal {
	if h.held {
		return nil
	}
	var out []InverseProposal
	for _, a := range h.scheduled {
		if !h.isOpen(a) {
			continue
		}
		for _, x := range a.holdings {
			if x.client != nil && h.mayAsk(x.client.fw, a, now) {
				a.ask(x.framework)
				out = append(out, InverseProposal{x.framework, a.id, a.unavailability})
			}
		}
	}
	return out
}

func (h *Hierarchical) mayAsk(fw *framework, a *agent, now time.Time) bool {
	if !fw.active || a.asked[fw.id] {
		return false
	}
	if until, ok := fw.inverseFilters[a.id]; ok {
		if now.UnixNano() < until {
			return false
		}
		delete(fw.inverseFilters, a.id)
	}
	return true
}

func (a *agent) ask(id FrameworkID) {
	if a.asked == nil {
		a.asked = map[FrameworkID]bool{}
	}
	a.asked[id] = true
}
