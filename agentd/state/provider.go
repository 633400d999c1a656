package state

import (
	"fmt"
	"maps"
	"slices"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/resourceprovider"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// maxProviders bounds how many resource providers have an ID: each that comes
// without one gets another, and all are kept until an operator marks them gone.
const maxProviders = 10_000

// provider is a resource provider that is subscribed.
type provider struct {
	id      string
	info    *mesos.ResourceProviderInfo // with ID
	stream  StreamID
	session string // its Mesos-Stream-Id
	// version is that of its resources, nil until it told its state; nothing of
	// it is told to the master before.
	version *mesos.UUID
	total   resources.Resources
}

// providers are the resource providers of an agent: those that are subscribed,
// and the registry of all that ever were, which is checkpointed.
type providers struct {
	subscribed map[string]*provider
	streams    map[StreamID]*provider
	// known have an ID and may come back; gone may not. They hold ID, type
	// and name only, which stay the same.
	known, gone map[string]*mesos.ResourceProviderInfo
	publishes   map[string]*publication // by UUID
	counts      map[OperationKind]*OperationCounts
}

func newProviders() providers {
	return providers{
		subscribed: map[string]*provider{}, streams: map[StreamID]*provider{},
		known: map[string]*mesos.ResourceProviderInfo{}, gone: map[string]*mesos.ResourceProviderInfo{},
		publishes: map[string]*publication{}, counts: map[OperationKind]*OperationCounts{},
	}
}

// identity is the part of a provider's description that never changes.
func identity(info *mesos.ResourceProviderInfo) *mesos.ResourceProviderInfo {
	return &mesos.ResourceProviderInfo{Id: info.Id, Type: info.Type, Name: info.Name}
}

// withProviderID is the description of a provider with the ID that it gets.
func withProviderID(info *mesos.ResourceProviderInfo, id string) *mesos.ResourceProviderInfo {
	return &mesos.ResourceProviderInfo{
		Id: &mesos.ResourceProviderID{Value: &id}, Attributes: info.Attributes, Type: info.Type, Name: info.Name,
		DefaultReservations: info.DefaultReservations, Storage: info.Storage,
	}
}

// recoverProviders takes up the registry of the agent's former life.
func (m *Machine) recoverProviders(s *Snapshot) {
	for _, p := range s.Providers {
		m.providers.known[p.GetId().GetValue()] = p
	}
	for _, p := range s.GoneProviders {
		m.providers.gone[p.GetId().GetValue()] = p
	}
}

// keepProviders makes the registry durable.
func (m *Machine) keepProviders() {
	values := func(in map[string]*mesos.ResourceProviderInfo) []*mesos.ResourceProviderInfo {
		var out []*mesos.ResourceProviderInfo
		for _, p := range sorted(in) {
			out = append(out, p)
		}
		return out
	}
	m.checkpoint(ProvidersRecord{
		AgentID: m.agentID(), Known: values(m.providers.known), Gone: values(m.providers.gone),
	})
}

// subscribeProvider connects a resource provider: a new one, which gets an ID, or
// one that has one and comes (back).
func (m *Machine) subscribeProvider(in ProviderCall) {
	info := in.Call.GetSubscribe().GetResourceProviderInfo()
	id := info.GetId().GetValue()
	switch {
	case info.Id == nil && len(m.providers.known) >= maxProviders:
		m.reply(in.Reply, statusUnavailable, fmt.Sprintf("There are %d resource providers: mark some of them gone", maxProviders))
		return
	case info.Id == nil:
		id = m.newProviderID()
		info = withProviderID(info, id)
		m.providers.known[id] = identity(info)
		m.keepProviders()
	default:
		if problem := m.stranger(info); problem != "" {
			// As with Mesos's agents: its stream ends without an event.
			m.warn("resource provider refused: "+problem, "provider", id, "type", info.GetType(), "name", info.GetName())
			m.reply(in.Reply, statusOK, "")
			m.do(CloseStream{Stream: in.Stream})
			return
		}
	}
	m.reply(in.Reply, statusOK, "")
	p := m.providers.subscribed[id]
	if p == nil {
		p = &provider{id: id}
		m.providers.subscribed[id] = p
	} else {
		m.dropProviderStream(p) // a second SUBSCRIBE wins
	}
	p.info, p.stream, p.session = info, in.Stream, in.Session
	m.providers.streams[p.stream] = p
	m.counters.ProviderSubscriptions++
	m.inform("resource provider subscribed", providerFields(p)...)
	m.tellProvider(p, &resourceprovider.Event{
		Type:       resourceprovider.Event_SUBSCRIBED.Enum(),
		Subscribed: &resourceprovider.Event_Subscribed{ProviderId: info.Id},
	})
}

func (m *Machine) newProviderID() string {
	id := m.cfg.Random.UUID()
	return uuidString(id[:])
}

// stranger says why a provider with an ID is not the one that got it; "" if it is.
func (m *Machine) stranger(info *mesos.ResourceProviderInfo) string {
	id := info.GetId().GetValue()
	known := m.providers.known[id]
	switch {
	case m.providers.gone[id] != nil:
		return "it was marked gone"
	case known == nil:
		return "its ID is not known here"
	case known.GetType() != info.GetType() || known.GetName() != info.GetName():
		return fmt.Sprintf("its ID belongs to %q of type %q", known.GetName(), known.GetType())
	}
	return ""
}

func (m *Machine) tellProvider(p *provider, e *resourceprovider.Event) {
	m.do(SendEvent{Stream: p.stream, Event: e})
}

// dropProviderStream closes a provider's stream. What was to be published is
// known to nobody then.
func (m *Machine) dropProviderStream(p *provider) {
	m.do(CloseStream{Stream: p.stream})
	m.forgetStream(p)
}

func (m *Machine) forgetStream(p *provider) {
	m.counters.ProviderDisconnections++
	delete(m.providers.streams, p.stream)
	m.failPublications(p, "Connection closed")
}

// providerDisconnected takes a provider's resources out of what the agent has,
// until it comes back.
func (m *Machine) providerDisconnected(p *provider) {
	m.inform("resource provider disconnected", providerFields(p)...)
	delete(m.providers.subscribed, p.id)
	m.forgetStream(p)
	m.providersChanged()
}

// dismissProvider disconnects a provider, which may come back at once and tell
// its state anew.
func (m *Machine) dismissProvider(p *provider) {
	m.do(CloseStream{Stream: p.stream})
	m.providerDisconnected(p)
}

// providersChanged tells the master; one that the agent registers with is told then.
func (m *Machine) providersChanged() {
	if m.phase == Running {
		m.sendUpdateSlave()
	}
}

// markProviderGone removes a provider for good, unless it has resources.
func (m *Machine) markProviderGone(in ProviderGone) {
	p := m.providers.subscribed[in.ID]
	problem := ""
	switch {
	case m.agentID() == "":
		problem = "Agent has not registered yet"
	case p != nil && !p.total.IsEmpty():
		problem = "Resource provider has resources"
	}
	if problem != "" {
		m.reply(in.Reply, statusInternalError, fmt.Sprintf("Could not mark resource provider '%s' as gone: %s", in.ID, problem))
		return
	}
	if known := m.providers.known[in.ID]; known != nil {
		delete(m.providers.known, in.ID)
		m.providers.gone[in.ID] = known
		m.keepProviders()
	}
	m.reply(in.Reply, statusOK, "")
	m.inform("resource provider is gone", "provider", in.ID)
	m.endProviderOperations(in.ID)
	if p == nil {
		return
	}
	m.tellProvider(p, &resourceprovider.Event{Type: resourceprovider.Event_TEARDOWN.Enum()})
	m.dismissProvider(p)
}

// provided is what all providers have.
func (m *Machine) provided() resources.Resources {
	var all resources.Resources
	for _, p := range sorted(m.providers.subscribed) {
		all = all.Add(p.total)
	}
	return all
}

func providerFields(p *provider) []any {
	return []any{"provider", p.id, "type", p.info.GetType(), "name", p.info.GetName()}
}

// Provider is one subscribed resource provider of a View.
type Provider struct {
	Info  *mesos.ResourceProviderInfo
	Total []*mesos.Resource
}

// OperationKind names the operations of one kind on the providers of one type
// and name, as Mesos's metrics do.
type OperationKind struct {
	ProviderType, ProviderName string
	Operation                  mesos.Offer_Operation_Type
}

// OperationCounts count them: Pending now, the others since the agent started.
type OperationCounts struct{ Pending, Finished, Failed, Dropped uint64 }

func (m *Machine) providersView() []*Provider {
	var out []*Provider
	for _, p := range sorted(m.providers.subscribed) {
		out = append(out, &Provider{Info: p.info, Total: p.total.Proto()})
	}
	return out
}

func (m *Machine) operationCounts() map[OperationKind]OperationCounts {
	out := map[OperationKind]OperationCounts{}
	for kind, c := range m.providers.counts {
		out[kind] = *c
	}
	for _, o := range m.operations {
		p := m.providers.subscribed[providerOf(o)]
		if p == nil || isTerminalOperation(o.GetLatestStatus().GetState()) {
			continue
		}
		kind := OperationKind{p.info.GetType(), p.info.GetName(), o.GetInfo().GetType()}
		c := out[kind]
		c.Pending++
		out[kind] = c
	}
	return out
}

// count notes how an operation on a provider ended.
func (p *providers) count(o *mesos.Operation) {
	known := p.known[providerOf(o)]
	if known == nil {
		return
	}
	kind := OperationKind{known.GetType(), known.GetName(), o.GetInfo().GetType()}
	if p.counts[kind] == nil {
		p.counts[kind] = &OperationCounts{}
	}
	switch o.GetLatestStatus().GetState() {
	case mesos.OperationState_OPERATION_FINISHED:
		p.counts[kind].Finished++
	case mesos.OperationState_OPERATION_FAILED, mesos.OperationState_OPERATION_ERROR:
		p.counts[kind].Failed++
	case mesos.OperationState_OPERATION_DROPPED:
		p.counts[kind].Dropped++
	}
}

// providerOperations are those of one provider, by UUID.
func (m *Machine) providerOperations(id string) map[string]*mesos.Operation {
	out := maps.Clone(m.operations)
	maps.DeleteFunc(out, func(_ string, o *mesos.Operation) bool { return providerOf(o) != id })
	return out
}

// providerOf names the resource provider of an operation; "" is the agent itself.
func providerOf(o *mesos.Operation) string { return resources.ProviderOf(o.GetInfo()).GetValue() }

// isTerminalOperation says whether nothing else will become of an operation.
func isTerminalOperation(s mesos.OperationState) bool {
	return slices.Contains([]mesos.OperationState{
		mesos.OperationState_OPERATION_FINISHED, mesos.OperationState_OPERATION_FAILED,
		mesos.OperationState_OPERATION_ERROR, mesos.OperationState_OPERATION_DROPPED,
		mesos.OperationState_OPERATION_GONE_BY_OPERATOR,
	}, s)
}
