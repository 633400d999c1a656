package sim

import "time"

// fault does something bad, and plans the next.
func (s *sim) fault() {
	if !s.troubled() {
		return
	}
	s.after(s.upTo(12*time.Second), s.fault)
	if len(s.masters) > 1 && s.chance(0.5) {
		s.masterFault()
		return
	}
	a := s.agents[s.rng.IntN(len(s.agents))]
	f := s.frameworks[s.rng.IntN(len(s.frameworks))]
	switch s.rng.IntN(11) {
	case 0, 1:
		s.note("the connection of %s and the master breaks", a.node)
		s.net.breakUp(s.master.node, a.node)
	case 2:
		d := s.upTo(3 * time.Minute)
		s.note("%s is cut off from the master for %v", a.node, d)
		s.stats.Cuts++
		s.net.cutOff(s.master.node, a.node, d)
	case 3:
		d := s.upTo(30 * time.Second)
		s.note("%s is cut off from the master for %v", f.node, d)
		s.stats.Cuts++
		s.net.cutOff(s.master.node, f.node, d)
	case 4, 5:
		a.crash()
	case 6:
		f.crash()
	case 7:
		s.note("the connection of %s and the master breaks", f.node)
		s.net.breakUp(s.master.node, f.node)
	case 8:
		a.killSomething()
	case 9:
		if len(s.masters) == 1 && s.chance(0.4) {
			s.master.failover()
		}
	case 10:
		d := s.upTo(20 * time.Second)
		s.note("%s reads nothing for %v", f.node, d)
		s.stats.Stalls++
		s.net.stall(f.node, s.master.node, d)
	}
}

// makePeace ends all faults: what was cut heals, what was down comes back.
func (s *sim) makePeace() {
	s.note("peace")
	for _, c := range s.net.connections {
		c.cut, c.deaf = false, nil
	}
	// By then everybody who will has come back.
	for _, d := range []time.Duration{12 * time.Minute, 20 * time.Minute} {
		s.after(d, func() { s.master.tearDownForgotten() })
	}
}
