package state

import (
	"fmt"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// ledger is what an allocator would believe from the machine's effects. It must
// agree with the machine at any time.
type ledger struct {
	agents     map[AgentID]resources.Resources
	frameworks map[FrameworkID]bool
	held       map[AgentID]map[FrameworkID]resources.Resources
}

func newLedger() *ledger {
	return &ledger{
		agents:     map[AgentID]resources.Resources{},
		frameworks: map[FrameworkID]bool{},
		held:       map[AgentID]map[FrameworkID]resources.Resources{},
	}
}

// propose books a proposal before the machine sees it.
func (l *ledger) propose(p Proposal) { l.add(p.Framework, p.Agent, resources.Of(p.Resources...)) }

func (l *ledger) add(f FrameworkID, a AgentID, r resources.Resources) {
	if l.held[a] != nil {
		l.held[a][f] = l.held[a][f].Add(r)
	}
}

// apply books one effect.
func (l *ledger) apply(e Effect) error {
	switch e := e.(type) {
	case AllocAddFramework:
		id := FrameworkID(e.Info.GetId().GetValue())
		if l.frameworks[id] {
			return fmt.Errorf("framework %s is added twice", id)
		}
		l.frameworks[id] = true
	case AllocRemoveFramework:
		delete(l.frameworks, e.Framework)
		for a := range l.held {
			delete(l.held[a], e.Framework)
		}
	case AllocAddAgent:
		id := AgentID(e.Info.GetId().GetValue())
		if l.held[id] != nil {
			return fmt.Errorf("agent %s is added twice", id)
		}
		l.agents[id] = resources.Of(e.Total...)
		l.held[id] = map[FrameworkID]resources.Resources{}
		for _, u := range e.Used {
			l.add(u.Framework, id, resources.Of(u.Resources...))
		}
	case AllocUpdateAgent:
		l.agents[AgentID(e.Info.GetId().GetValue())] = resources.Of(e.Total...)
	case AllocRemoveAgent:
		delete(l.agents, e.Agent)
		delete(l.held, e.Agent)
	case AllocTrack:
		l.add(e.Framework, e.Agent, resources.Of(e.Resources...))
	case AllocConvert:
		return l.convert(e)
	case AllocConvertFree:
		total, err := l.agents[AgentID(e.Agent.Info.GetId().GetValue())].ApplyConversions(e.Conversions)
		if err == nil && !total.Equal(resources.Of(e.Agent.Total...)) {
			err = fmt.Errorf("conversions make %s and the machine has %s", total, resources.Of(e.Agent.Total...))
		}
		l.agents[AgentID(e.Agent.Info.GetId().GetValue())] = total
		return err
	case AllocRecover:
		return l.recover(e.Framework, e.Agent, e.Resources)
	}
	return nil
}

func (l *ledger) convert(e AllocConvert) error {
	held, err := l.held[e.Agent][e.Framework].ApplyConversions(e.Conversions)
	if err != nil {
		return fmt.Errorf("%s converts what it does not have on %s: %w", e.Framework, e.Agent, err)
	}
	total, err := l.agents[e.Agent].ApplyConversions(resources.OfTotal(e.Conversions))
	if err != nil {
		return fmt.Errorf("%s converts what agent %s does not have: %w", e.Framework, e.Agent, err)
	}
	l.held[e.Agent][e.Framework], l.agents[e.Agent] = held, total
	return nil
}

// free is what nobody holds. Shared volumes always are.
func (l *ledger) free(a AgentID) resources.Resources {
	free := l.agents[a].NonShared()
	for _, held := range l.held[a] {
		free = free.Subtract(held.Unallocate())
	}
	return free.Add(l.agents[a].Shared())
}

func (l *ledger) recover(f FrameworkID, a AgentID, list []*mesos.Resource) error {
	r := resources.Of(list...)
	held := l.held[a][f]
	if !held.Contains(r) {
		return fmt.Errorf("%s gives back %s on %s and has %s", f, r, a, held)
	}
	l.held[a][f] = held.Subtract(r)
	return nil
}

// check compares the ledger and the machine's own sums with what there is.
func (l *ledger) check(m *Machine) error {
	if len(l.held) != len(m.agents) {
		return fmt.Errorf("the allocator has %d agents, the machine %d", len(l.held), len(m.agents))
	}
	byFramework := map[FrameworkID]resources.Resources{}
	for a := range m.agentList.all() {
		if err := l.checkAgent(a, byFramework); err != nil {
			return err
		}
	}
	for f := range m.frameworkList.all() {
		// Ports of several agents have no meaningful sum.
		if !f.used.Add(f.offered).Scalars().Equal(byFramework[f.id].Scalars()) {
			return fmt.Errorf("framework %s counts %s + %s and has %s", f.id, f.used, f.offered, byFramework[f.id])
		}
		if !l.frameworks[f.id] {
			return fmt.Errorf("the allocator misses framework %s", f.id)
		}
	}
	return checkIndexes(m)
}

func (l *ledger) checkAgent(a *agent, byFramework map[FrameworkID]resources.Resources) error {
	sums := map[FrameworkID]resources.Resources{}
	var used, offered resources.Resources
	for t := range a.tasks.all() {
		if !released(t.info.GetState()) {
			sums[t.framework.id] = sums[t.framework.id].Add(t.resources)
			used = used.Add(t.resources)
		}
	}
	for e := range a.executors.all() {
		sums[e.key.Framework] = sums[e.key.Framework].Add(e.resources)
		used = used.Add(e.resources)
	}
	for o := range a.operations.all() {
		if o.framework != nil {
			sums[o.framework.id] = sums[o.framework.id].Add(o.held)
			used = used.Add(o.held)
		}
	}
	for o := range a.offers.all() {
		sums[o.framework.id] = sums[o.framework.id].Add(o.resources)
		offered = offered.Add(o.resources)
	}
	if !used.Equal(a.used) || !offered.Equal(a.offered) {
		return fmt.Errorf("agent %s counts used %s, offered %s and has %s, %s", a.id, a.used, a.offered, used, offered)
	}
	taken := used.Add(offered).Unallocate()
	if !a.total.Contains(taken.NonShared()) || !containsKinds(a.total, taken.Shared()) {
		return fmt.Errorf("agent %s has %s, and %s used, %s offered", a.id, a.total, used, offered)
	}
	if !a.total.Filter(needsCheckpoint).Equal(a.checkpointed) {
		return fmt.Errorf("agent %s has %s, and %s is checkpointed", a.id, a.total, a.checkpointed)
	}
	if !l.agents[a.id].Equal(a.total) {
		return fmt.Errorf("the allocator believes agent %s to have %s, not %s", a.id, l.agents[a.id], a.total)
	}
	for id, sum := range sums {
		byFramework[id] = byFramework[id].Add(sum)
	}
	for id, held := range l.held[a.id] {
		if !held.Equal(sums[id]) {
			return fmt.Errorf("the allocator believes %s to hold %s on %s, and it holds %s", id, held, a.id, sums[id])
		}
		delete(sums, id)
	}
	for id, sum := range sums {
		if !sum.IsEmpty() && l.frameworks[id] {
			return fmt.Errorf("%s holds %s on %s without the allocator's knowing", id, sum, a.id)
		}
	}
	return nil
}

// checkIndexes looks for leftovers.
func checkIndexes(m *Machine) error {
	tasks, offers := 0, 0
	for f := range m.frameworkList.all() {
		tasks += f.tasks.length
		offers += f.offers.length
		switch {
		case f.connected && f.conn.Stream != "" && m.byStream[f.conn.Stream] != f:
			return fmt.Errorf("framework %s is not found by its stream", f.id)
		case f.connected && f.conn.PID != "" && m.byPID[f.conn.PID] != f:
			return fmt.Errorf("framework %s is not found by its PID", f.id)
		case f.active && !f.connected:
			return fmt.Errorf("framework %s is active and not connected", f.id)
		case !f.active && f.offers.length > 0:
			return fmt.Errorf("framework %s has offers and is not active", f.id)
		}
	}
	for a := range m.agentList.all() {
		if a.active && !a.connected || !a.active && a.offers.length > 0 {
			return fmt.Errorf("agent %s: active %t, connected %t, %d offers", a.id, a.active, a.connected, a.offers.length)
		}
		if _, ok := m.timers[Timer{TimerPing, string(a.id)}]; !ok {
			return fmt.Errorf("agent %s is not pinged", a.id)
		}
		if m.former.unreachable.get(a.id) != nil || m.former.gone.get(a.id) != nil || m.former.recovered.get(a.id) != nil {
			return fmt.Errorf("agent %s is registered and former", a.id)
		}
	}
	if err := checkOperations(m); err != nil {
		return err
	}
	if tasks != len(m.tasks) || offers != len(m.offers) {
		return fmt.Errorf("%d tasks and %d offers are listed, %d and %d known", tasks, offers, len(m.tasks), len(m.offers))
	}
	for timer := range m.timers {
		switch timer.Kind {
		case TimerPing, TimerReregister:
			if m.agents[AgentID(timer.ID)] == nil {
				return fmt.Errorf("timer %s runs for agent %s that is gone", timer.Kind, timer.ID)
			}
		case TimerHeartbeat:
			if m.byStream[StreamID(timer.ID)] == nil {
				return fmt.Errorf("a heartbeat for stream %s that is closed", timer.ID)
			}
		case TimerFailover:
			if f := m.frameworks[FrameworkID(timer.ID)]; f == nil || f.connected {
				return fmt.Errorf("a failover timeout for framework %s", timer.ID)
			}
		case TimerOffer:
			if m.offers[OfferID(timer.ID)] == nil {
				return fmt.Errorf("a timeout of offer %s that is gone", timer.ID)
			}
		}
	}
	return nil
}

// containsKinds says whether every shared volume that is in use is there.
func containsKinds(total, shared resources.Resources) bool {
	for it := range shared.All() {
		if !total.Contains(it.One()) {
			return false
		}
	}
	return true
}

// checkOperations looks for operations that are lost between the lists.
func checkOperations(m *Machine) error {
	onAgents, owned := 0, 0
	for a := range m.agentList.all() {
		onAgents += a.operations.length
		for o := range a.operations.all() {
			if o.agent != a || m.operations[o.uuid] != o || o.orphan && o.framework != nil {
				return fmt.Errorf("operation %x is not well booked", o.uuid)
			}
			if o.frameworkID() == "" {
				owned++
			}
		}
	}
	for f := range m.frameworkList.all() {
		owned += f.operations.length
	}
	for id, strays := range m.strays {
		owned += strays.length
		if m.frameworks[id] != nil || strays.length == 0 {
			return fmt.Errorf("operations of framework %s are astray", id)
		}
	}
	if onAgents != len(m.operations) || owned != len(m.operations) || len(m.published.operationTable.where) != len(m.operations) {
		return fmt.Errorf("%d operations are known, %d listed by agents, %d by frameworks", len(m.operations), onAgents, owned)
	}
	return nil
}
