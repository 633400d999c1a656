package allocator

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/quota"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// Hierarchical is the Allocator of Mesos: see the package comment.
type Hierarchical struct {
	cfg    Config
	names  names
	sorter sorter
	tree   *roleTree

	frameworks map[FrameworkID]*framework
	agents     map[AgentID]*agent
	whitelist  map[string]bool
	// scheduled are the agents with maintenance, sorted by ID.
	scheduled []*agent

	// orphans are the agents where a framework holds something that is not known yet.
	orphans map[FrameworkID]map[*agent]bool
	// serial numbers what must be told apart, clients counts the living, nextBit is that of the next.
	serial  uint64
	clients int
	nextBit int

	expiries    expiries
	filterCount int

	// candidates wait for the next cycle; everyAgent says that all agents do. heldBack were not proposed
	// as a whole because of quota; quotaEased says that they are worth another look.
	candidates []*agent
	everyAgent bool
	heldBack   []*agent
	quotaEased bool

	// used and freeUnreserved are sums over agents: what is held, and what guarantees can be met with.
	used, freeUnreserved vector

	// held says that nothing is proposed until as many agents as expected are there, or resume.
	held     bool
	expected int
	resume   time.Time

	runs uint64
}

var _ Allocator = (*Hierarchical)(nil)

// New makes an allocator that knows nothing yet.
func New(cfg Config) (*Hierarchical, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("configuring the allocator: %w", err)
	}
	h := &Hierarchical{
		cfg: cfg, names: names{index: map[string]int{}}, tree: newRoleTree(),
		frameworks: map[FrameworkID]*framework{}, agents: map[AgentID]*agent{},
		orphans: map[FrameworkID]map[*agent]bool{},
	}
	h.sorter.lots = lots(cfg.Seed)
	h.sorter.excluded = map[int]bool{}
	for _, name := range cfg.FairSharingExcluded {
		h.sorter.excluded[h.names.id(name)] = true
	}
	return h, nil
}

// Start implements Allocator.
func (h *Hierarchical) Start(expectedAgents int, quotas []*quota.QuotaConfig, weights []*mesos.WeightInfo, now time.Time) {
	h.UpdateWeights(weights)
	h.UpdateQuota(quotas)
	h.expected = int(float64(expectedAgents) * h.cfg.RecoveryFactor)
	h.held = len(h.tree.withQuota) > 0 && len(h.agents) < h.expected
	h.resume = now.Add(h.cfg.RecoveryTimeout)
}

// UpdateWeights implements Allocator. It causes no new proposals by itself.
func (h *Hierarchical) UpdateWeights(weights []*mesos.WeightInfo) {
	for _, w := range weights {
		h.tree.setWeight(w.GetRole(), w.GetWeight())
	}
}

// UpdateQuota implements Allocator.
func (h *Hierarchical) UpdateQuota(quotas []*quota.QuotaConfig) {
	for _, q := range quotas {
		h.tree.setQuota(&h.names, q)
	}
	h.quotaEased = true
}

// Allocate implements Allocator: the cycle of the package comment.
func (h *Hierarchical) Allocate(now time.Time) []Proposal {
	h.runs++
	h.expireFilters(now)
	if h.held && now.Before(h.resume) {
		return nil
	}
	h.held = false
	agents := h.takeCandidates()
	if len(agents) == 0 {
		return nil
	}
	c := cycle{h: h, quota: h.snapshot(), shown: map[*agent]resources.Resources{}, first: map[place]int{}}
	if c.quota.required.anyPositive() {
		c.offerAll(agents, c.toGuaranteed)
	}
	c.offerAll(agents, c.toAnybody)
	return c.proposals
}

// takeCandidates are the agents to go through, in random order, so that the first are not always the
// same.
func (h *Hierarchical) takeCandidates() []*agent {
	if h.quotaEased {
		for _, a := range h.heldBack {
			a.heldBack = false
			h.nominate(a)
		}
		h.heldBack, h.quotaEased = h.heldBack[:0], false
	}
	if h.everyAgent {
		for _, a := range h.agents {
			h.nominate(a)
		}
		h.everyAgent = false
	}
	agents := h.candidates
	h.candidates = nil
	for _, a := range agents {
		a.candidate = false
	}
	agents = slices.DeleteFunc(agents, func(a *agent) bool { return !h.mayPropose(a) })
	// The order of maps must not show.
	slices.SortFunc(agents, func(a, b *agent) int { return cmp.Compare(a.arrival, b.arrival) })
	shuffle(&h.sorter.lots, agents)
	for _, a := range agents {
		h.begin(a)
		// A shared volume can be proposed again although nothing changed.
		if !a.shared.IsEmpty() {
			h.nominate(a)
		}
	}
	return agents
}

// begin checks what is remembered of an agent against what it has now.
func (h *Hierarchical) begin(a *agent) {
	if !a.seen.Same(a.free) && !a.seen.Contains(a.free) {
		clear(a.ruledOut)
	}
	a.seen = a.free
}
