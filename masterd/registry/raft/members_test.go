package raft

import (
	"fmt"
	"slices"
	"testing"

	hraft "github.com/hashicorp/raft"
	"pgregory.net/rapid"
)

// voter and nonvoter are members at the address ":" and their name.
func voter(id string) hraft.Server {
	return hraft.Server{Suffrage: hraft.Voter, ID: hraft.ServerID(id), Address: hraft.ServerAddress(":" + id)}
}

func nonvoter(id string) hraft.Server {
	s := voter(id)
	s.Suffrage = hraft.Nonvoter
	return s
}

func listOf(ids ...string) (peers []Peer) {
	for _, id := range ids {
		peers = append(peers, Peer{ID: id, Address: ":" + id})
	}
	return peers
}

func TestNextChange(t *testing.T) {
	healthy := func(ids ...string) func(hraft.ServerID) health {
		return func(id hraft.ServerID) health {
			ok := slices.Contains(ids, string(id))
			return health{alive: ok, current: ok}
		}
	}
	late := func(hraft.ServerID) health { return health{alive: true} }
	tests := map[string]struct {
		group  []hraft.Server
		wanted []Peer
		of     func(hraft.ServerID) health
		want   string
	}{
		"nothing to do":                         {[]hraft.Server{voter("a"), voter("b")}, listOf("a", "b"), healthy("b"), ""},
		"a newcomer":                            {[]hraft.Server{voter("a")}, listOf("a", "b"), healthy(), "add b"},
		"a newcomer that is late":               {[]hraft.Server{voter("a"), nonvoter("b")}, listOf("a", "b"), late, ""},
		"a newcomer that never came":            {[]hraft.Server{voter("a"), nonvoter("b")}, listOf("a", "b"), healthy(), ""},
		"one more beside one that never came":   {[]hraft.Server{voter("a"), nonvoter("b")}, listOf("a", "b", "c"), healthy(), "add c"},
		"a newcomer that has caught up":         {[]hraft.Server{voter("a"), nonvoter("b")}, listOf("a", "b"), healthy("b"), "promote b"},
		"a vote that would cost the majority":   {[]hraft.Server{voter("a"), voter("b"), voter("c"), nonvoter("d")}, listOf("a", "b", "c", "d"), healthy("d"), ""},
		"another address":                       {[]hraft.Server{voter("a"), voter("b")}, []Peer{{"a", ":a"}, {"b", ":new"}}, healthy(), "move b"},
		"the dead one goes":                     {[]hraft.Server{voter("a"), voter("b"), voter("c")}, listOf("a", "b"), healthy("b"), "remove c"},
		"the dead one goes first":               {[]hraft.Server{voter("a"), voter("b"), voter("c"), voter("d"), voter("e")}, listOf("a", "b", "c"), healthy("b", "c", "d"), "remove e"},
		"a removal that costs the majority":     {[]hraft.Server{voter("a"), voter("b"), voter("c")}, listOf("a", "c"), healthy("b"), ""},
		"one that works waits for its follower": {[]hraft.Server{voter("a"), voter("b"), voter("c"), nonvoter("d")}, listOf("a", "b", "d"), healthy("b", "c"), ""},
		"without a vote it can go at once":      {[]hraft.Server{voter("a"), nonvoter("b")}, listOf("a"), healthy(), "remove b"},
		"the leader hands over":                 {[]hraft.Server{voter("a"), voter("b"), voter("c")}, listOf("b", "c"), healthy("b", "c"), "hand over b"},
		"the leader stays if nobody can":        {[]hraft.Server{voter("a"), voter("b"), voter("c")}, listOf("b", "c"), healthy(), ""},
		"the leader goes last":                  {[]hraft.Server{voter("a"), voter("b"), voter("c")}, listOf("c"), healthy("b", "c"), "remove b"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := ""
			if c, ok := nextChange(tt.group, tt.wanted, "a", tt.of); ok {
				got = fmt.Sprintf("%s %s", c.kind, c.server.ID)
			}
			if got != tt.want {
				t.Errorf("change %q, want %q", got, tt.want)
			}
		})
	}
}

// TestChangesKeepTheMajority walks from any group to any list, while members
// come and go: a majority of the votes is never with members that don't answer
// because of a change, and once all answer the group becomes the list.
func TestChangesKeepTheMajority(t *testing.T) {
	names := []string{"a", "b", "c", "d", "e", "f", "g"}
	rapid.Check(t, func(t *rapid.T) {
		some := rapid.SliceOfNDistinct(rapid.SampledFrom(names), 1, 5, rapid.ID)
		var group []hraft.Server
		for _, id := range some.Draw(t, "group") {
			group = append(group, voter(id))
		}
		wanted := listOf(some.Draw(t, "wanted")...)
		leader := rapid.SampledFrom(group).Draw(t, "leader").ID
		calm := false
		for step := range 100 {
			calm = calm || step > 50 || rapid.Bool().Draw(t, "calm")
			down := map[string]bool{}
			if !calm {
				for _, id := range rapid.SliceOfDistinct(rapid.SampledFrom(names), rapid.ID).Draw(t, "down") {
					down[id] = hraft.ServerID(id) != leader
				}
			}
			before := majorityAnswers(group, down)
			c, ok := nextChange(group, wanted, leader, func(id hraft.ServerID) health {
				return health{alive: !down[string(id)], current: true}
			})
			if !ok || !before { // without a majority nothing is committed
				continue
			}
			if c.kind == handOver {
				leader = c.server.ID
				continue
			}
			group = after(group, c)
			if !majorityAnswers(group, down) {
				t.Fatalf("%s %s costs the majority of %v", c.kind, c.server.ID, group)
			}
		}
		for _, s := range group {
			if s.Suffrage != hraft.Voter || !slices.Contains(wanted, Peer{string(s.ID), string(s.Address)}) {
				t.Fatalf("%v is in the group, wanted are %v", s, wanted)
			}
		}
		if len(group) != len(wanted) {
			t.Fatalf("the group is %v, wanted are %v", group, wanted)
		}
	})
}

func majorityAnswers(group []hraft.Server, down map[string]bool) bool {
	votes, up := 0, 0
	for _, s := range group {
		if s.Suffrage == hraft.Voter {
			votes++
			if !down[string(s.ID)] {
				up++
			}
		}
	}
	return up > votes/2
}

func after(group []hraft.Server, c change) []hraft.Server {
	group = slices.DeleteFunc(slices.Clone(group), func(s hraft.Server) bool { return s.ID == c.server.ID })
	if c.kind == removeMember {
		return group
	}
	return append(group, c.server)
}
