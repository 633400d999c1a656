package raft

import (
	"slices"

	hraft "github.com/hashicorp/raft"
)

// changeKind is one of the ways to change a group.
type changeKind string

const (
	addMember     changeKind = "add"       // as one without a vote, who catches up
	promoteMember changeKind = "promote"   // give it its vote
	moveMember    changeKind = "move"      // to another address
	removeMember  changeKind = "remove"    //
	handOver      changeKind = "hand over" // the leader itself has to go
)

// change is one step from the group that is to the group that should be.
type change struct {
	kind   changeKind
	server hraft.Server
}

// health is what the leader knows of a member.
type health struct {
	// alive: it answered within the last moments.
	alive bool
	// current: it has all that was committed when it answered.
	current bool
}

// nextChange compares a group with the list of peers and returns the step to
// take now, or none. Steps keep to these rules:
//
//   - Whoever joins has no vote until it has caught up, so that a newcomer that
//     doesn't work never counts for a majority.
//   - A vote is given or taken only if, with it, a majority of the votes is
//     with members that answer now.
//   - A member that works stays until those who join have their votes.
//   - The leader is the last to go, by handing over.
func nextChange(group []hraft.Server, wanted []Peer, self hraft.ServerID, of func(hraft.ServerID) health) (change, bool) {
	g := census{group: group, wanted: wanted, self: self, of: of}
	for _, step := range []func() (change, bool){g.move, g.promote, g.add, g.remove, g.leave} {
		if c, ok := step(); ok {
			return c, true
		}
	}
	return change{}, false
}

// census is a group beside the list of its peers.
type census struct {
	group  []hraft.Server
	wanted []Peer
	self   hraft.ServerID
	of     func(hraft.ServerID) health
}

func (g census) member(id string) (hraft.Server, bool) {
	i := slices.IndexFunc(g.group, func(s hraft.Server) bool { return string(s.ID) == id })
	if i < 0 {
		return hraft.Server{}, false
	}
	return g.group[i], true
}

func (g census) listed(id hraft.ServerID) bool {
	return slices.ContainsFunc(g.wanted, func(p Peer) bool { return p.ID == string(id) })
}

func (g census) alive(id hraft.ServerID) bool { return id == g.self || g.of(id).alive }

// majority says whether members that answer have a majority of the votes, with
// one vote more and without another. Empty IDs are nobody.
func (g census) majority(with, without hraft.ServerID) bool {
	votes, alive := 0, 0
	count := func(id hraft.ServerID) {
		votes++
		if g.alive(id) {
			alive++
		}
	}
	for _, s := range g.group {
		if s.Suffrage == hraft.Voter && s.ID != without {
			count(s.ID)
		}
	}
	if with != "" {
		count(with)
	}
	return alive > votes/2
}

func (g census) move() (change, bool) {
	for _, p := range g.wanted {
		if s, ok := g.member(p.ID); ok && string(s.Address) != p.Address {
			s.Address = hraft.ServerAddress(p.Address)
			return change{moveMember, s}, true
		}
	}
	return change{}, false
}

func (g census) promote() (change, bool) {
	for _, s := range g.group {
		if s.Suffrage == hraft.Voter || !g.listed(s.ID) {
			continue
		}
		if h := g.of(s.ID); h.alive && h.current && g.majority(s.ID, "") {
			s.Suffrage = hraft.Voter
			return change{promoteMember, s}, true
		}
	}
	return change{}, false
}

func (g census) add() (change, bool) {
	for _, p := range g.wanted {
		if _, ok := g.member(p.ID); !ok {
			return change{addMember, hraft.Server{
				Suffrage: hraft.Nonvoter, ID: hraft.ServerID(p.ID), Address: hraft.ServerAddress(p.Address),
			}}, true
		}
	}
	return change{}, false
}

// waiting says whether somebody who is listed has no vote yet.
func (g census) waiting() bool {
	return slices.ContainsFunc(g.group, func(s hraft.Server) bool {
		return s.Suffrage != hraft.Voter && g.listed(s.ID)
	})
}

func (g census) remove() (change, bool) {
	waiting := g.waiting()
	var living change
	for _, s := range g.group {
		switch {
		case g.listed(s.ID), s.ID == g.self:
		case s.Suffrage != hraft.Voter:
			return change{removeMember, s}, true
		case !g.majority("", s.ID):
		case !g.alive(s.ID): // those who are gone first
			return change{removeMember, s}, true
		case !waiting:
			living = change{removeMember, s}
		}
	}
	return living, living.kind != ""
}

func (g census) leave() (change, bool) {
	if g.listed(g.self) || g.waiting() {
		return change{}, false
	}
	for _, s := range g.group {
		if s.ID != g.self && s.Suffrage == hraft.Voter && g.listed(s.ID) && g.of(s.ID).alive {
			return change{handOver, s}, true
		}
	}
	return change{}, false
}
