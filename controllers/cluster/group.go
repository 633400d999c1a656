package cluster

import "fmt"

// group is how many masters there should be, and are, in each of the places that say
// so. It is the whole memory of a change of masters.replicas.
type group struct {
	wanted int32 // the spec
	listed int32 // the list of peers, which the leading master makes the group; 0: none yet
	pods   int32 // replicas of the StatefulSet; 0: none yet
	ready  int32 // those whose pods are ready
	leader int32 // ordinal of the leading master's pod, -1 if none leads

	// What the leading master says: how many have a vote, how many of these are up to
	// date, and how many names are on the list that it has read; 0 if it says nothing.
	votes, current, read int32
}

// step is what to do next about a group.
type step struct {
	listed, pods int32
	// clear: nothing may be left of earlier masters of the ordinals that join.
	clear bool
	// doing says what is waited for, for people; "" if the group is as wanted.
	doing string
}

// next decides. The rules:
//
//   - Masters join a group that is whole only: all of it is up to date and ready.
//   - Masters leave by leaving the list first; their pods go when the leading master has
//     read the list and those on it are the only ones with a vote, itself among them.
//   - Pods of members are restored at once, whatever else is the matter.
//
// Who joins gets a vote when it has caught up, and masters come and go one at a time, as
// the leading master sees to.
func (g group) next() step {
	s := step{listed: g.listed, pods: g.pods}
	switch {
	case g.listed == 0:
		return step{listed: g.wanted, pods: g.wanted}
	case g.wanted > g.listed:
		if s.doing = g.notWhole(); s.doing == "" {
			s.listed, s.clear = g.wanted, true
		}
	case g.wanted < g.listed && g.votes == 0:
		s.doing = fmt.Sprintf("waiting for a leading master before %d of %d masters leave", g.listed-g.wanted, g.listed)
	case g.wanted < g.listed:
		s.listed = g.wanted
	}
	switch {
	case s.listed >= g.pods:
		s.pods = s.listed
	case g.read == s.listed && g.votes == s.listed && g.leader >= 0 && g.leader < s.listed:
		s.pods = s.listed
	default:
		s.doing = fmt.Sprintf("%d of %d masters leave the group: %d vote", g.pods-s.listed, g.pods, g.votes)
	}
	if s.doing == "" && g.leader >= 0 && g.votes > 0 && g.votes != s.listed {
		s.doing = fmt.Sprintf("%d of %d masters vote", g.votes, s.listed)
	}
	return s
}

// notWhole says why nobody may join now, or "".
func (g group) notWhole() string {
	joining := g.wanted - g.listed
	switch {
	case g.votes == 0 || g.leader < 0:
		return fmt.Sprintf("waiting for a leading master before %d masters join", joining)
	case g.pods != g.listed:
		return fmt.Sprintf("waiting for masters that leave before %d join", joining)
	case g.ready < g.listed:
		return fmt.Sprintf("waiting until all of %d masters are ready before %d join", g.listed, joining)
	case g.votes != g.listed || g.current != g.listed:
		return fmt.Sprintf("waiting until all of %d masters are up to date before %d join", g.listed, joining)
	}
	return ""
}

// settled: nothing is left to do but what the leading master does by itself.
func (g group) settled() bool {
	return g.listed == g.wanted && g.pods == g.wanted
}

// whole: as wanted, and every master has its vote and is up to date.
func (g group) whole() bool {
	return g.settled() && g.votes == g.wanted && g.current == g.wanted
}
