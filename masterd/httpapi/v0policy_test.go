package httpapi

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

func TestParseList(t *testing.T) {
	a := &mesos.WeightInfo{Role: new("a"), Weight: new(2.0)}
	for text, want := range map[string]struct {
		list []*mesos.WeightInfo
		err  string // that the error contains
	}{
		`[]`:                        {},
		" [ ] \n":                   {},
		`[{"role":"a","weight":2}]`: {list: []*mesos.WeightInfo{a}},
		`[{"role":"a","weight":"2"},{"weight":2,"x":[],"role":"a"}]`: {list: []*mesos.WeightInfo{a, a}},
		``:                               {err: "expected a JSON array"},
		`null`:                           {err: "expected a JSON array"},
		`{"role":"a","weight":2}`:        {err: "expected a JSON array"},
		`[null]`:                         {err: "element 0"},
		`[{"weight":2},null]`:            {err: "element 1"},
		`[[{"weight":2}]]`:               {err: "element 0"},
		`[1]`:                            {err: "element 0"},
		`[{"role":"a"}]`:                 {err: "element 0: Missing required fields: weight"},
		`[{"weight":2}`:                  {err: "without an end"},
		`[{"weight":2},]`:                {err: "element 1"},
		`[{"weight":2}]x`:                {err: "text after"},
		`[{"weight":2}][]`:               {err: "text after"},
		"[" + strings.Repeat("[", 1<<20): {err: "element 0"},
	} {
		got, err := parseList[mesos.WeightInfo]([]byte(text))
		if diff := cmp.Diff(want.list, got, protocmp.Transform()); diff != "" {
			t.Errorf("%.60s: (-want +got)\n%s", text, diff)
		}
		if (err != nil) != (want.err != "") || err != nil && !strings.Contains(err.Error(), want.err) {
			t.Errorf("%.60s: %v, want %q", text, err, want.err)
		}
	}
}
