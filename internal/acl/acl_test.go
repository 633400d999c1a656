package acl_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/mesos-operator/mesos-operator/api/mesos/acls"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/acl"
	"github.com/mesos-operator/mesos-operator/internal/auth"
)

func parse(t *testing.T, text string) *acl.Authorizer {
	t.Helper()
	a, skipped, err := acl.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if len(skipped) > 0 {
		t.Fatalf("skipped %v", skipped)
	}
	return a
}

// allActions are those that exist, found by their names.
func allActions() []acl.Action {
	var all []acl.Action
	for a := acl.Action(0); !strings.HasPrefix(a.String(), "action "); a++ {
		all = append(all, a)
	}
	return all
}

// whole are the actions whose objects can't be told apart.
var whole = map[string]bool{}

func init() {
	for name := range strings.FieldsSeq(`access_mesos_logs view_flags set_log_level register_agents
		update_maintenance_schedules get_maintenance_schedules start_maintenances stop_maintenances
		get_maintenance_statuses drain_agents deactivate_agents reactivate_agents launch_standalone_containers
		kill_standalone_containers wait_standalone_containers remove_standalone_containers
		view_standalone_containers modify_resource_provider_configs mark_resource_providers_gone
		view_resource_providers prune_images`) {
		whole[name] = true
	}
}

// objectsField is what the objects of a list are called.
func objectsField(t *testing.T, list string) string {
	t.Helper()
	field := (&acls.ACLs{}).ProtoReflect().Descriptor().Fields().ByName(protoreflect.Name(list))
	if field == nil {
		t.Fatalf("ACLs has no %s", list)
	}
	return string(field.Message().Fields().ByNumber(2).Name())
}

func TestEveryListIsAnAction(t *testing.T) {
	known := map[string]bool{
		"permissive": true, // and the second halves of two actions
		"launch_nested_containers_under_parent_with_user":         true,
		"launch_nested_container_sessions_under_parent_with_user": true,
	}
	for _, a := range allActions() {
		known[a.String()] = true
	}
	fields := (&acls.ACLs{}).ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		if name := string(fields.Get(i).Name()); !known[name] {
			t.Errorf("no action reads %s", name)
		}
	}
}

func TestEachAction(t *testing.T) {
	for _, a := range allActions() {
		t.Run(a.String(), func(t *testing.T) {
			list, objects, value := a.String(), objectsField(t, a.String()), "x"
			if a == acl.GetEndpoint {
				value = "/files/debug"
			}
			entry := func(principal, object string) string {
				return fmt.Sprintf(`{"principals":%s,%q:%s}`, principal, objects, object)
			}
			const yes, anybody, nobody = `{"values":["yes"]}`, `{"type":"ANY"}`, `{"type":"NONE"}`
			lists := func(permissive bool, entries ...string) *acl.Authorizer {
				return parse(t, fmt.Sprintf(`{"permissive":%t,%q:[%s]}`, permissive, list, strings.Join(entries, ",")))
			}
			object := acl.Named(value)
			check := func(what string, got, want bool) {
				t.Helper()
				if got != want {
					t.Errorf("%s: %t", what, got)
				}
			}
			nested := a == acl.LaunchNestedContainer || a == acl.LaunchNestedContainerSession
			if nested { // the command's user is asked for only if there is a command
				object = acl.NestedLaunch(nil, &mesos.CommandInfo{User: &value}, nil, nil)
			}
			may := func(a2 *acl.Authorizer, who string) bool { return a2.ForName(who).May(a, object) }

			// Some may, the others may not.
			both := lists(true, entry(yes, anybody), entry(anybody, nobody))
			check("yes", may(both, "yes"), true)
			check("no", may(both, "no"), false)
			check("nobody", may(both, ""), false)
			check("any object", both.ForName("no").May(a, acl.Any), nested)

			// What no entry fits is up to permissive.
			check("permissive", may(lists(true), "yes"), true)
			if !nested {
				check("not permissive", may(lists(false), "yes"), false)
				check("not permissive, named", may(lists(false, entry(yes, anybody)), "yes"), true)
			}
			if whole[list] {
				_, _, err := acl.Parse(fmt.Appendf(nil, `{%q:[%s]}`, list, entry(yes, `{"values":["x"]}`)))
				check("values are refused", err != nil, true)
				return
			}
			// Only some objects.
			some := lists(true, entry(yes, fmt.Sprintf(`{"values":[%q]}`, value)), entry(yes, nobody))
			check("its object", may(some, "yes"), true)
			other := acl.Named("y")
			if nested {
				other = acl.NestedLaunch(nil, &mesos.CommandInfo{User: new("y")}, nil, nil)
			}
			check("another object", some.ForName("yes").May(a, other), false)
			// The first one that fits decides.
			first := lists(true, entry(anybody, nobody), entry(yes, anybody))
			check("too late", may(first, "yes"), false)
		})
	}
}

func TestRolesAreHierarchical(t *testing.T) {
	a := parse(t, `{"permissive":false,"register_frameworks":[
		{"principals":{"values":["ops"]},"roles":{"values":["ops/%","dev","a/b/%"]}},
		{"principals":{"values":["one"]},"roles":{"values":["ops"]}}],
		"run_tasks":[{"principals":{"type":"ANY"},"users":{"values":["a/%"]}}]}`)
	for role, want := range map[string]bool{
		"ops": false, "ops/": true, "ops/x": true, "ops/x/y": true, "opsy": false, "dev": true, "dev/x": false,
		"a": false, "a/b": false, "a/b/c": true, "ops/%": true, "*": false,
	} {
		if got := a.ForName("ops").May(acl.RegisterFramework, acl.Role(role)); got != want {
			t.Errorf("%s: %t", role, got)
		}
	}
	if a.ForName("one").May(acl.RegisterFramework, acl.Role("ops/x")) {
		t.Error("a plain role includes what is below it")
	}
	if a.ForName("x").May(acl.RunTask, acl.User("a/b")) {
		t.Error("a user is read as a role")
	}
	roles := func(names ...string) (os []acl.Object) {
		for _, n := range names {
			os = append(os, acl.Role(n))
		}
		return os
	}
	ops := a.ForName("ops").To(acl.RegisterFramework)
	for want, names := range map[bool][]string{true: {"ops/x", "dev"}, false: {"ops/x", "ops"}} {
		if got := ops.AllowEach(roles(names...)); got != want {
			t.Errorf("%v: %t", names, got)
		}
	}
	if ops.AllowEach(nil) {
		t.Error("no role at all is allowed although the ACLs are not permissive")
	}
}

// TestWhichObjectsAreRoles: "a/%" means what is below a where objects are roles, and a name
// like any other elsewhere.
func TestWhichObjectsAreRoles(t *testing.T) {
	roles := map[string]bool{}
	for name := range strings.FieldsSeq(`register_frameworks reserve_resources create_volumes resize_volumes view_roles
		update_weights get_quotas update_quotas create_block_disks destroy_block_disks create_mount_disks destroy_mount_disks
		destroy_raw_disks`) {
		roles[name] = true
	}
	for _, a := range allActions() {
		list := a.String()
		if whole[list] || a == acl.GetEndpoint || a == acl.LaunchNestedContainer || a == acl.LaunchNestedContainerSession {
			continue // no names, or not these
		}
		t.Run(list, func(t *testing.T) {
			authorizer := parse(t, fmt.Sprintf(`{"permissive":false,%q:[
				{"principals":{"values":["p"]},%q:{"values":["a/%%","b"]}},{"principals":{"values":["q"]},%[2]q:{"values":["a/b/%%"]}},
				{"principals":{"values":["q"]},%[2]q:{"type":"NONE"}}]}`, list, objectsField(t, list)))
			for who, want := range map[string]map[string]bool{
				"p": {"a": false, "a/b": roles[list], "a/b/c": roles[list], "ab": false, "b": true, "b/c": false, "*": false},
				"q": {"a": false, "a/b": false, "a/b/c": roles[list], "b": false},
				"r": {"a": false, "a/b": false, "b": false},
			} {
				for name, allowed := range want {
					if got := authorizer.ForName(who).May(a, acl.Named(name)); got != allowed {
						t.Errorf("%s of %s: %t", name, who, got)
					}
				}
				if authorizer.ForName(who).May(a, acl.Any) {
					t.Errorf("%s may do it to any", who)
				}
			}
		})
	}
}

func TestNestedContainersNeedBothUsers(t *testing.T) {
	a := parse(t, `{
		"launch_nested_containers_as_user":[
			{"principals":{"values":["p"]},"users":{"values":["root"]}},{"principals":{"values":["p"]},"users":{"type":"NONE"}}],
		"launch_nested_containers_under_parent_with_user":[
			{"principals":{"values":["p"]},"users":{"values":["nobody"]}},{"principals":{"values":["p"]},"users":{"type":"NONE"}}]}`)
	executor := func(user string) *mesos.ExecutorInfo {
		return &mesos.ExecutorInfo{Command: &mesos.CommandInfo{User: &user}}
	}
	may := a.ForName("p").To(acl.LaunchNestedContainer)
	for name, c := range map[string]struct {
		command *mesos.CommandInfo
		parent  string
		want    bool
	}{
		"both fit":          {&mesos.CommandInfo{User: new("root")}, "nobody", true},
		"the parent's not":  {&mesos.CommandInfo{User: new("root")}, "root", false},
		"the command's not": {&mesos.CommandInfo{User: new("nobody")}, "nobody", false},
		"no command":        {nil, "nobody", true},
		"no command, no":    {nil, "root", false},
		"no user":           {&mesos.CommandInfo{}, "nobody", false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := may.Allow(acl.NestedLaunch(nil, c.command, executor(c.parent), nil)); got != c.want {
				t.Errorf("got %t", got)
			}
		})
	}
}

func TestATokenGrantsItsOwnContainers(t *testing.T) {
	a := parse(t, `{"permissive":true}`)
	executor := a.For(auth.Principal{Claims: map[string]string{"fid": "f", "eid": "e", "cid": "c1"}})
	own := &mesos.ContainerID{Value: new("n"), Parent: &mesos.ContainerID{Value: new("c1")}}
	foreign := &mesos.ContainerID{Value: new("n"), Parent: &mesos.ContainerID{Value: new("c2")}}
	for _, action := range []acl.Action{
		acl.LaunchNestedContainer, acl.WaitNestedContainer, acl.KillNestedContainer, acl.LaunchNestedContainerSession,
		acl.RemoveNestedContainer, acl.AttachContainerOutput,
	} {
		if !executor.May(action, acl.Container(own, nil, nil)) || executor.May(action, acl.Container(foreign, nil, nil)) {
			t.Errorf("%s is not limited to the token's container", action)
		}
		if executor.May(action, acl.Any) {
			t.Errorf("%s of any container is allowed", action)
		}
	}
	for _, action := range []acl.Action{acl.ViewTask, acl.ViewFlags, acl.AttachContainerInput, acl.LaunchStandaloneContainer} {
		if executor.May(action, acl.Container(own, nil, nil)) || executor.May(action, acl.Any) {
			t.Errorf("%s is allowed to an executor", action)
		}
	}
	provider := a.For(auth.Principal{Claims: map[string]string{"cid_prefix": "csi-"}})
	if !provider.May(acl.KillStandaloneContainer, acl.Standalone(&mesos.ContainerID{Value: new("csi-1")})) ||
		provider.May(acl.KillStandaloneContainer, acl.Standalone(&mesos.ContainerID{Value: new("x-1")})) {
		t.Error("a resource provider is not limited to its prefix")
	}
}

func TestObjects(t *testing.T) {
	// A list that allows one name shows which one an object has.
	nameOf := func(o acl.Object) string {
		for _, name := range []string{"framework", "task", "executor", "child", "root", "", "me", "cid"} {
			a := parse(t, fmt.Sprintf(`{"permissive":false,"kill_nested_containers":[
				{"principals":{"type":"ANY"},"users":{"values":[%q]}}]}`, name))
			if a.ForName("p").May(acl.KillNestedContainer, o) {
				return name
			}
		}
		return "none"
	}
	framework := &mesos.FrameworkInfo{User: new("framework"), Principal: new("me")}
	command := func(user string) *mesos.CommandInfo { return &mesos.CommandInfo{User: &user} }
	reserved := &mesos.Resource{Role: new("x"), Reservations: []*mesos.Resource_ReservationInfo{
		{Role: new("root"), Principal: new("x")}, {Role: new("child"), Principal: new("me")}}}
	cid := &mesos.ContainerID{Value: new("cid")}
	for name, c := range map[string]struct {
		object acl.Object
		want   string
	}{
		"task's command":          {acl.UserOfTask(&mesos.TaskInfo{Command: command("task")}, framework), "task"},
		"task's executor":         {acl.UserOfTask(&mesos.TaskInfo{Executor: &mesos.ExecutorInfo{Command: command("executor")}}, framework), "executor"},
		"task without a user":     {acl.UserOfTask(&mesos.TaskInfo{Command: &mesos.CommandInfo{}}, framework), "framework"},
		"executor":                {acl.UserOfExecutor(&mesos.ExecutorInfo{Command: command("executor")}, framework), "executor"},
		"executor without a user": {acl.UserOfExecutor(&mesos.ExecutorInfo{}, framework), "framework"},
		"refined role":            {acl.ReservedRole(reserved), "child"},
		"old role":                {acl.ReservedRole(&mesos.Resource{Role: new("root")}), "root"},
		"reserver":                {acl.Reserver(reserved), "me"},
		"no reserver":             {acl.Reserver(&mesos.Resource{}), "none"},
		"creator": {acl.Creator(&mesos.Resource{Disk: &mesos.Resource_DiskInfo{
			Persistence: &mesos.Resource_DiskInfo_Persistence{Principal: new("me")}}}), "me"},
		"principal of a framework":       {acl.FrameworkPrincipal(framework), "me"},
		"container":                      {acl.Container(cid, nil, framework), "framework"},
		"container with nothing else":    {acl.Container(cid, nil, nil), "cid"},
		"container of nothing":           {acl.Any, "none"},
		"container with executor's user": {acl.Container(cid, &mesos.ExecutorInfo{Command: command("executor")}, framework), "executor"},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, nameOf(c.object)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestMistakesAreTold(t *testing.T) {
	for name, text := range map[string]string{
		"not JSON":          `{`,
		"not an object":     `[]`,
		"no principals":     `{"run_tasks":[{"users":{"type":"ANY"}}]}`,
		"unknown endpoint":  `{"get_endpoints":[{"principals":{"type":"ANY"},"paths":{"values":["/state"]}}]}`,
		"flags with values": `{"view_flags":[{"principals":{"type":"ANY"},"flags":{"values":["x"]}}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, err := acl.Parse([]byte(text)); err == nil {
				t.Error("no error")
			}
		})
	}
	_, skipped, err := acl.Parse([]byte(`{"run_task":[],"permissive":false}`))
	if err != nil || !cmp.Equal(skipped, []string{"run_task"}) {
		t.Errorf("skipped %v, %v", skipped, err)
	}
}

func TestWithoutACLsAllIsAllowed(t *testing.T) {
	var none *acl.Authorizer
	grants := none.ForName("x")
	for _, a := range allActions() {
		if !grants.May(a, acl.Any) || !grants.To(a).Always() {
			t.Errorf("%s is refused", a)
		}
	}
}
