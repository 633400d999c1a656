package pending

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func names(l *List) []string {
	var out []string
	for _, o := range l.All() {
		out = append(out, o.Name+" "+o.Args["containerId"])
	}
	return out
}

func TestList(t *testing.T) {
	l := New()
	of := func(id string) map[string]string { return map[string]string{"containerId": id} }
	first := l.Begin("a::prepare", of("1"))
	second := l.Begin("b::prepare", of("2"))
	third := l.Begin("a::prepare", of("1"))
	if diff := cmp.Diff([]string{"a::prepare 1", "b::prepare 2", "a::prepare 1"}, names(l)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	second()
	first()
	first() // twice is once
	if diff := cmp.Diff([]string{"a::prepare 1"}, names(l)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	third()
	if got := l.All(); len(got) > 0 {
		t.Errorf("left: %v", got)
	}
}

func TestNilList(t *testing.T) {
	var l *List
	l.Begin("a", nil)()
	if got := l.All(); got != nil {
		t.Errorf("got %v", got)
	}
}
