package constraint

import (
	"errors"
	"strings"
	"testing"

	"github.com/mesos-operator/mesos-operator/api/mesos/mesosjson"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
)

func parse(t *testing.T, groups string) *scheduler.OfferConstraints {
	t.Helper()
	c := &scheduler.OfferConstraints{}
	if err := mesosjson.Unmarshal([]byte(`{"role_constraints":{"web":{"groups":[`+groups+`]}}}`), c); err != nil {
		t.Fatal(err)
	}
	return c
}

func agent(t *testing.T, text string) *mesos.AgentInfo {
	t.Helper()
	a := &mesos.AgentInfo{}
	if err := mesosjson.Unmarshal([]byte(text), a); err != nil {
		t.Fatal(err)
	}
	return a
}

// one is a group of one constraint.
func one(selector, predicate string) string {
	return `{"attribute_constraints":[{"selector":{` + selector + `},"predicate":{` + predicate + `}}]}`
}

const (
	rack = `"attribute_name":"rack"`
	host = `"pseudoattribute_type":"HOSTNAME"`
	zone = `"pseudoattribute_type":"ZONE"`
)

func TestExcludes(t *testing.T) {
	r1 := agent(t, `{"hostname":"h1","attributes":[{"name":"rack","type":"TEXT","text":{"value":"r1"}}],
		"domain":{"fault_domain":{"region":{"name":"eu"},"zone":{"name":"eu-1"}}}}`)
	bare := agent(t, `{"hostname":"h2"}`)
	scalar := agent(t, `{"hostname":"h3","attributes":[{"name":"rack","type":"SCALAR","scalar":{"value":1}}]}`)
	for name, tc := range map[string]struct {
		groups             string
		r1, bare, isScalar bool
	}{
		"exists":         {one(rack, `"exists":{}`), true, false, true},
		"not exists":     {one(rack, `"not_exists":{}`), false, true, false},
		"equals":         {one(rack, `"text_equals":{"value":"r1"}`), true, false, true},
		"equals other":   {one(rack, `"text_equals":{"value":"r2"}`), false, false, true},
		"not equals":     {one(rack, `"text_not_equals":{"value":"r1"}`), false, true, true},
		"matches":        {one(rack, `"text_matches":{"regex":"r[0-9]"}`), true, false, true},
		"matches a part": {one(rack, `"text_matches":{"regex":"r"}`), false, false, true},
		"alternatives":   {one(rack, `"text_matches":{"regex":"r1|x"}`), true, false, true},
		"not matches":    {one(rack, `"text_not_matches":{"regex":"r."}`), false, true, true},
		"hostname":       {one(host, `"text_equals":{"value":"h2"}`), false, true, false},
		"zone":           {one(zone, `"text_equals":{"value":"eu-1"}`), true, false, false},
		"no zone":        {one(zone, `"not_exists":{}`), false, true, true},
		"either group":   {one(host, `"text_equals":{"value":"h2"}`) + "," + one(rack, `"text_equals":{"value":"r1"}`), true, true, true},
		"all in a group": {strings.Replace(one(rack, `"exists":{}`), "[{", `[{"selector":{`+host+`},"predicate":{"text_equals":{"value":"h3"}}},{`, 1), false, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Compile(parse(t, tc.groups), DefaultLimits)
			if err != nil {
				t.Fatal(err)
			}
			for what, got := range map[string][2]bool{
				"with a rack": {s.Excludes("web", r1), !tc.r1},
				"bare":        {s.Excludes("web", bare), !tc.bare},
				"scalar rack": {s.Excludes("web", scalar), !tc.isScalar},
				"other role":  {s.Excludes("db", bare), false},
			} {
				if got[0] != got[1] {
					t.Errorf("%s: excluded %v", what, got[0])
				}
			}
		})
	}
	if (*Set)(nil).Excludes("web", bare) {
		t.Error("no constraints exclude an agent")
	}
}

func TestCompileRefuses(t *testing.T) {
	for name, groups := range map[string]string{
		"no groups":       ``,
		"empty group":     `{}`,
		"no selector":     one(``, `"exists":{}`),
		"unknown pseudo":  one(`"pseudoattribute_type":"UNKNOWN"`, `"exists":{}`),
		"no predicate":    one(rack, ``),
		"bad expression":  one(rack, `"text_matches":{"regex":"("}`),
		"huge expression": one(rack, `"text_matches":{"regex":"`+strings.Repeat("a", 200)+`"}`),
		"huge repetition": one(rack, `"text_not_matches":{"regex":"(a{100}){10}"}`),
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Compile(parse(t, groups), DefaultLimits); !errors.Is(err, ErrInvalid) {
				t.Errorf("error %v", err)
			}
		})
	}
	if s, err := Compile(nil, DefaultLimits); s != nil || err != nil {
		t.Errorf("nothing: %v, %v", s, err)
	}
}
