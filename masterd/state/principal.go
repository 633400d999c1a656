package state

// principals are those that frameworks have, and how many each.
type principals map[string]int

// addPrincipal begins to count the messages of a principal with its first
// framework.
func (m *Machine) addPrincipal(f *framework) {
	p := f.info.Principal
	if p == nil {
		return
	}
	if m.principals[*p]++; m.principals[*p] > 1 {
		return
	}
	if m.stats.Principals == nil {
		m.stats.Principals = map[string]PrincipalStats{}
	}
	m.stats.Principals[*p] = PrincipalStats{}
}

// dropPrincipal forgets the counts of a principal with its last framework.
func (m *Machine) dropPrincipal(f *framework) {
	p := f.info.Principal
	if p == nil {
		return
	}
	if m.principals[*p]--; m.principals[*p] == 0 {
		delete(m.principals, *p)
		delete(m.stats.Principals, *p)
	}
}

func (m *Machine) countReceived(f *framework) {
	m.countMessage(f, PrincipalStats{Received: 1})
}

func (m *Machine) countProcessed(f *framework) {
	m.countMessage(f, PrincipalStats{Processed: 1})
}

func (m *Machine) countMessage(f *framework, n PrincipalStats) {
	p := f.info.Principal
	if p == nil {
		return
	}
	if s, ok := m.stats.Principals[*p]; ok {
		m.stats.Principals[*p] = PrincipalStats{s.Received + n.Received, s.Processed + n.Processed}
	}
}
