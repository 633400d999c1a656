package acl_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mesos-operator/mesos-operator/api/mesos/acls"
	"github.com/mesos-operator/mesos-operator/internal/acl"
	"github.com/mesos-operator/mesos-operator/internal/auth"
)

// The model below says the rules once more, in the most literal way: an entity
// of a request, an entity of a list, and two tables of nine cells.

type entity struct {
	kind   acls.ACL_Entity_Type
	values []string
}

const (
	some = acls.ACL_Entity_SOME
	each = acls.ACL_Entity_ANY
	none = acls.ACL_Entity_NONE
)

func subset(request, list entity) bool {
	return !slices.ContainsFunc(request.values, func(v string) bool { return !slices.Contains(list.values, v) })
}

// modelFits is the first table.
func modelFits(request, list entity) bool {
	switch {
	case request.kind == some && list.kind == some:
		return subset(request, list)
	case request.kind == each && list.kind == some:
		return false
	}
	return true
}

func modelAllows(request, list entity) bool {
	switch list.kind {
	case none:
		return false
	case each:
		return true
	}
	return request.kind == some && subset(request, list)
}

type modelRule struct{ principals, objects entity }

func model(rules []modelRule, permissive bool, principal, object entity, roles bool) bool {
	for _, r := range rules {
		objects := r.objects
		if roles && objects.kind == some && object.kind == some { // name every role that a/% stands for
			objects.values = slices.Clone(objects.values)
			for _, v := range r.objects.values {
				if above, ok := strings.CutSuffix(v, "%"); ok && strings.HasSuffix(above, "/") &&
					strings.HasPrefix(object.values[0], above) {
					objects.values = append(objects.values, object.values[0])
				}
			}
		}
		if modelFits(principal, r.principals) && modelFits(object, objects) {
			return modelAllows(principal, r.principals) && modelAllows(object, objects)
		}
	}
	return permissive
}

func drawEntity(t *rapid.T, label string, names []string) entity {
	e := entity{kind: rapid.SampledFrom([]acls.ACL_Entity_Type{some, some, each, none}).Draw(t, label)}
	if e.kind == some {
		e.values = rapid.SliceOfN(rapid.SampledFrom(names), 0, 3).Draw(t, label+" values")
	}
	return e
}

func (e entity) proto() *acls.ACL_Entity {
	return &acls.ACL_Entity{Type: e.kind.Enum(), Values: e.values}
}

func TestRulesFitTheModel(t *testing.T) {
	principals := []string{"p", "q", "r"}
	names := []string{"a", "a/b", "a/b/c", "b", "a/%", "a/b/%", "%"}
	rapid.Check(t, func(t *rapid.T) {
		permissive := rapid.Bool().Draw(t, "permissive")
		lists := &acls.ACLs{Permissive: &permissive}
		var rules []modelRule
		for range rapid.IntRange(0, 4).Draw(t, "rules") {
			r := modelRule{drawEntity(t, "principals", principals), drawEntity(t, "objects", names)}
			rules = append(rules, r)
			lists.ViewRoles = append(lists.ViewRoles, &acls.ACL_ViewRole{Principals: r.principals.proto(), Roles: r.objects.proto()})
			lists.ViewTasks = append(lists.ViewTasks, &acls.ACL_ViewTask{Principals: r.principals.proto(), Users: r.objects.proto()})
		}
		a, err := acl.New(lists)
		if err != nil {
			t.Fatal(err)
		}
		who := rapid.SampledFrom(append(principals, "", "s")).Draw(t, "who")
		principal := entity{some, []string{who}}
		if who == "" {
			principal = entity{kind: each}
		}
		name := rapid.SampledFrom(append(names, "")).Draw(t, "object")
		object, asked := entity{some, []string{name}}, acl.Named(name)
		if name == "" {
			object, asked = entity{kind: each}, acl.Any
		}
		grants := a.For(auth.Principal{Name: who})
		for action, roles := range map[acl.Action]bool{acl.ViewRole: true, acl.ViewTask: false} {
			want := model(rules, permissive, principal, object, roles)
			approver := grants.To(action)
			if got := approver.Allow(asked); got != want {
				t.Errorf("%s: %t, the model says %t", action, got, want)
			}
			if approver.Always() && !want || approver.Never() && want {
				t.Errorf("%s: a short cut is wrong", action)
			}
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"permissive":false,"run_tasks":[{"principals":{"values":["a"]},"users":{"type":"ANY"}}]}`))
	f.Add([]byte(`{"register_frameworks":[{"principals":{"type":"NONE"},"roles":{"values":["a/%","b"]}}]}`))
	f.Add([]byte(`{"permissive":null,"permissive":3}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		a, _, err := acl.Parse(text)
		if err != nil {
			return
		}
		for _, who := range []string{"", "a"} {
			a.ForName(who).May(acl.RunTask, acl.User("root"))
			a.ForName(who).May(acl.RegisterFramework, acl.Role("a/b"))
		}
	})
}

func BenchmarkAllow(b *testing.B) {
	text := `{"permissive":false,"view_tasks":[{"principals":{"values":["ops"]},"users":{"values":["root","web"]}}]}`
	a, _, err := acl.Parse([]byte(text))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if !a.ForName("ops").May(acl.ViewTask, acl.User("web")) {
			b.Fatal("refused")
		}
	}
}
