package cluster

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// whole3 is three masters that are all well, led by the second.
func whole3() group {
	return group{wanted: 3, listed: 3, pods: 3, ready: 3, leader: 1, votes: 3, current: 3, read: 3}
}

func TestGroupSteps(t *testing.T) {
	edit := func(f func(*group)) group { g := whole3(); f(&g); return g }
	cases := map[string]struct {
		g            group
		listed, pods int32
		clear        bool
		doing        string
	}{
		"the first pass":         {group{wanted: 3, leader: -1}, 3, 3, false, ""},
		"at rest":                {whole3(), 3, 3, false, ""},
		"more":                   {edit(func(g *group) { g.wanted = 5 }), 5, 5, true, "3 of 5 masters vote"},
		"more, nobody leads":     {edit(func(g *group) { g.wanted, g.votes, g.leader = 5, 0, -1 }), 3, 3, false, "waiting for a leading master before 2 masters join"},
		"more, one is late":      {edit(func(g *group) { g.wanted, g.current = 5, 2 }), 3, 3, false, "up to date before 2 join"},
		"more, one is not ready": {edit(func(g *group) { g.wanted, g.ready = 5, 2 }), 3, 3, false, "ready before 2 join"},
		"more while some leave":  {edit(func(g *group) { g.wanted, g.listed, g.votes, g.current = 3, 1, 1, 1 }), 1, 3, false, ""},
		"they join":              {edit(func(g *group) { g.wanted, g.listed, g.pods = 5, 5, 5 }), 5, 5, false, "3 of 5 masters vote"},
		"fewer":                  {edit(func(g *group) { g.wanted = 1 }), 1, 3, false, "2 of 3 masters leave the group: 3 vote"},
		"fewer, nobody leads":    {edit(func(g *group) { g.wanted, g.votes, g.leader = 1, 0, -1 }), 3, 3, false, "before 2 of 3 masters leave"},
		"the list is not read":   {edit(func(g *group) { g.wanted, g.listed, g.votes, g.leader = 1, 1, 1, 0 }), 1, 3, false, "2 of 3 masters leave"},
		"one that goes leads":    {edit(func(g *group) { g.wanted, g.listed, g.read, g.votes = 1, 1, 1, 1 }), 1, 3, false, "2 of 3 masters leave"},
		"they may go":            {edit(func(g *group) { g.wanted, g.listed, g.read, g.votes, g.leader = 1, 1, 1, 1, 0 }), 1, 1, false, ""},
		"scaled down by hand":    {edit(func(g *group) { g.pods, g.ready, g.votes, g.leader = 0, 0, 0, -1 }), 3, 3, false, ""},
		"scaled up by hand":      {edit(func(g *group) { g.pods = 5 }), 3, 3, false, ""},
		"more than ever joined":  {group{wanted: 3, listed: 5, pods: 5, ready: 3, leader: 0, votes: 3, current: 3, read: 5}, 3, 5, false, "leave the group"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := tc.g.next()
			if got.listed != tc.listed || got.pods != tc.pods || got.clear != tc.clear {
				t.Errorf("got %+v, want %d listed, %d pods, clear %v", got, tc.listed, tc.pods, tc.clear)
			}
			if !strings.Contains(got.doing, tc.doing) || tc.doing == "" && got.doing != "" && name == "at rest" {
				t.Errorf("doing %q, want %q", got.doing, tc.doing)
			}
		})
	}
}

// TestNoStepCostsTheMajority plays any wishes against masters that come, vote and go as
// the leading one lets them: no pod is taken from a master that has a vote, and nobody
// joins with the claim of a former member.
func TestNoStepCostsTheMajority(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sizes := rapid.SampledFrom([]int32{1, 3, 5})
		wanted := sizes.Draw(t, "first")
		g := group{wanted: wanted, leader: -1}
		voters := map[int32]bool{} // by ordinal
		claims := map[int32]bool{}
		read := int32(0)
		observed := g
		act := func() {
			g.votes, g.current, g.read = int32(len(voters)), int32(len(voters)), read
			g.leader = lead(voters)
			g.ready = g.pods
			seen := g
			if rapid.Bool().Draw(t, "stale") { // what the leading master last said
				seen.votes, seen.current, seen.read, seen.leader = observed.votes, observed.current, observed.read, observed.leader
			}
			observed = g
			next := seen.next()
			if next.pods < g.pods { // it is asked anew
				next = g.next()
			}
			if next.clear {
				for o := range claims {
					if o >= g.listed {
						delete(claims, o)
					}
				}
			}
			for o := next.pods; o < g.pods; o++ {
				if voters[o] {
					t.Fatalf("the pod of %d goes, which votes: %+v", o, g)
				}
			}
			for o := g.listed; g.listed > 0 && o < next.listed; o++ {
				if claims[o] {
					t.Fatalf("%d joins with an old claim: %+v", o, g)
				}
			}
			g.listed, g.pods = next.listed, next.pods
			for o := range g.pods {
				claims[o] = true
			}
			if len(voters) == 0 {
				for o := range g.listed {
					voters[o] = true
				}
			}
		}
		// master plays one step of the leading master.
		master := func() {
			read = g.listed
			for o := range g.listed {
				if !voters[o] && o < g.pods {
					voters[o] = true
					return
				}
			}
			for o := int32(4); o >= g.listed; o-- {
				if voters[o] {
					delete(voters, o)
					return
				}
			}
		}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch rapid.IntRange(0, 3).Draw(t, "what") {
			case 0:
				g.wanted = sizes.Draw(t, "wanted")
			case 1:
				master()
			default:
				act()
			}
		}
		for range 40 {
			act()
			master()
		}
		act()
		if !g.settled() || int32(len(voters)) != g.wanted {
			t.Fatalf("it never becomes what is wanted: %+v, voters %v", g, voters)
		}
	})
}

// lead is the highest voter: the worst for a group that becomes smaller, until only those
// that stay are left.
func lead(voters map[int32]bool) int32 {
	out := int32(-1)
	for o := range voters {
		out = max(out, o)
	}
	return out
}

func TestUpgradeOrder(t *testing.T) {
	m := func(o int32, old, ready bool) master {
		return master{name: string([]rune{'a' + o}), ordinal: o, old: old, ready: ready}
	}
	cases := map[string]struct {
		u             upgrade
		name, waiting string
	}{
		"nothing":                   {upgrade{wanted: 1, masters: []master{m(0, false, true)}}, "", ""},
		"the lone master":           {upgrade{wanted: 1, masters: []master{m(0, true, true)}, leader: "a"}, "a", "0 of 1"},
		"the last follower":         {upgrade{wanted: 3, whole: true, leader: "c", masters: []master{m(0, true, true), m(1, true, true), m(2, true, true)}}, "b", "0 of 3"},
		"the leader last":           {upgrade{wanted: 3, whole: true, leader: "c", masters: []master{m(0, false, true), m(1, false, true), m(2, true, true)}}, "c", "2 of 3"},
		"one is not back":           {upgrade{wanted: 3, whole: true, leader: "a", masters: []master{m(0, true, true), m(1, false, true)}}, "", "1 of 3"},
		"the new one does not work": {upgrade{wanted: 3, whole: false, leader: "a", masters: []master{m(0, true, true), m(1, true, true), m(2, false, false)}}, "", "until all are ready"},
		"the new one is no peer":    {upgrade{wanted: 3, whole: false, leader: "a", masters: []master{m(0, true, true), m(1, true, true), m(2, false, true)}}, "", "until all are up to date"},
		"an old one does not work":  {upgrade{wanted: 3, leader: "c", masters: []master{m(0, true, false), m(1, true, true), m(2, true, true)}}, "a", "0 of 3"},
		"nobody leads for long":     {upgrade{wanted: 3, lost: true, masters: []master{m(0, true, true), m(1, true, true), m(2, true, true)}}, "c", "0 of 3"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			name, waiting := tc.u.next()
			if name != tc.name || !strings.Contains(waiting, tc.waiting) || tc.waiting == "" && waiting != "" {
				t.Errorf("replaces %q, waiting %q; want %q, %q", name, waiting, tc.name, tc.waiting)
			}
		})
	}
	ending := upgrade{wanted: 1, masters: []master{{name: "a", old: true, ending: true}}}
	if name, _ := ending.next(); name != "" {
		t.Errorf("replaces %s, which is ending", name)
	}
}
