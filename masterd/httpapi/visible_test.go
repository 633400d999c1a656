package httpapi

import (
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	registrypb "github.com/mesos-operator/mesos-operator/api/mesos/messages/registry"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	mesosmaster "github.com/mesos-operator/mesos-operator/api/mesos/v1/master"
	"github.com/mesos-operator/mesos-operator/internal/acl"
	"github.com/mesos-operator/mesos-operator/internal/codec"
	"github.com/mesos-operator/mesos-operator/masterd/state"
)

// limited is an API whose ACLs show each principal a part.
func limited(t *testing.T) *API {
	t.Helper()
	authorizer, _, err := acl.Parse([]byte(`{
		"view_frameworks":[{"principals":{"values":["outsider"]},"users":{"type":"NONE"}}],
		"view_tasks":[{"principals":{"values":["tasks"]},"users":{"type":"NONE"}}],
		"view_executors":[{"principals":{"values":["executors"]},"users":{"type":"NONE"}}],
		"view_roles":[{"principals":{"values":["roles"]},"roles":{"type":"NONE"}}],
		"get_quotas":[{"principals":{"values":["quotas"]},"roles":{"type":"NONE"}}],
		"view_flags":[{"principals":{"values":["flags"]},"flags":{"type":"NONE"}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	return &API{cfg: Config{Authorizer: authorizer}, flags: []byte(`{"acls":"x"}`)}
}

func TestAViewIsPartedByWhoLooks(t *testing.T) {
	a, v := limited(t), viewOf(t, 2)
	counts := func(v *state.View) [4]int {
		return [4]int{v.Frameworks.Len(), v.Tasks.Len(), v.Executors.Len(), v.Agents.Len()}
	}
	all := counts(v)
	if all[0] == 0 || all[1] == 0 || all[3] == 0 {
		t.Fatalf("nothing to look at: %v", all)
	}
	for who, want := range map[string][4]int{
		"":          all,
		"somebody":  all,
		"outsider":  {0, 0, 0, all[3]},
		"tasks":     {all[0], 0, all[2], all[3]},
		"executors": {all[0], all[1], 0, all[3]},
		"roles":     all,
	} {
		see := a.visibleTo(who)
		if got := counts(see.of(v)); got != want {
			t.Errorf("%q sees %v, want %v of %v", who, got, want, all)
		}
		if everything := who == "" || who == "somebody"; see.everything() != everything {
			t.Errorf("%q sees everything: %t", who, see.everything())
		}
	}
}

func TestAnswersTellNoMoreThanMayBeSeen(t *testing.T) {
	a, v := limited(t), viewOf(t, 2)
	for who, hidden := range map[string][]string{
		"":         nil,
		"outsider": {`"framework_id"`, `"tasks":[{`, `"user":`},
		"tasks":    {`"tasks":[{`},
		"flags":    {`"flags"`},
	} {
		asked := asked{visible: a.visibleTo(who)}
		whole := string(composed(a.composeState, v, asked))
		if who == "" && (!strings.Contains(whole, `"tasks":[{`) || !strings.Contains(whole, `"flags"`)) {
			t.Errorf("nothing is shown to anybody: %.300s", whole)
		}
		for _, text := range hidden {
			if strings.Contains(whole, text) {
				t.Errorf("/state shows %q %s", who, text)
			}
		}
		if who != "outsider" && who != "tasks" {
			continue
		}
		if body := string(composed(composeTasks, v, asked)); body != `{"tasks":[]}` {
			t.Errorf("/tasks shows %q %.200s", who, body)
		}
		if text := string(compose(&body{}, codec.JSON, getState(asked.of(v), asked.visible)).bytes()); strings.Contains(text, `"tasks":[{`) {
			t.Errorf("GET_STATE shows %q tasks", who)
		}
	}
}

func TestResourcesAreHiddenWithTheirRoles(t *testing.T) {
	see := limited(t).visibleTo("roles")
	for name, c := range map[string]struct {
		resource *mesos.Resource
		want     bool
	}{
		"free":          {&mesos.Resource{Name: new("cpus"), Role: new("*")}, true},
		"old static":    {&mesos.Resource{Name: new("cpus"), Role: new("web")}, false},
		"reserved":      {&mesos.Resource{Reservations: []*mesos.Resource_ReservationInfo{{Role: new("web")}}}, false},
		"allocated":     {&mesos.Resource{AllocationInfo: &mesos.Resource_AllocationInfo{Role: new("web")}}, false},
		"no role known": {&mesos.Resource{Name: new("cpus")}, true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := len(see.resources([]*mesos.Resource{c.resource})) == 1; got != c.want {
				t.Errorf("seen: %t", got)
			}
		})
	}
	info := &mesos.AgentInfo{Hostname: new("h"), Resources: []*mesos.Resource{{Name: new("cpus"), Role: new("web")}}}
	if got := see.agentInfo(info); len(got.Resources) != 0 || len(info.Resources) != 1 {
		t.Errorf("seen %v of %v", got, info)
	}
	if len(knownRoles(viewOf(t, 2), see)) != 0 {
		t.Error("roles are shown")
	}
}

func TestOperationsAreHiddenWithTheirRoles(t *testing.T) {
	a := limited(t)
	free := &mesos.Resource{Name: new("disk"), Type: mesos.Value_SCALAR.Enum(), Scalar: &mesos.Value_Scalar{Value: new(64.0)}}
	reserved := &mesos.Resource{Name: new("disk"), Type: mesos.Value_SCALAR.Enum(), Scalar: &mesos.Value_Scalar{Value: new(64.0)},
		Reservations: []*mesos.Resource_ReservationInfo{{Type: mesos.Resource_ReservationInfo_DYNAMIC.Enum(), Role: new("web")}}}
	for name, c := range map[string]struct {
		info *mesos.Offer_Operation
		seen bool
	}{
		"reserve":           {&mesos.Offer_Operation{Reserve: &mesos.Offer_Operation_Reserve{Resources: []*mesos.Resource{reserved}}}, false},
		"one of two":        {&mesos.Offer_Operation{Create: &mesos.Offer_Operation_Create{Volumes: []*mesos.Resource{free, reserved}}}, false},
		"disk of a role":    {&mesos.Offer_Operation{CreateDisk: &mesos.Offer_Operation_CreateDisk{Source: reserved}}, false},
		"disk of everybody": {&mesos.Offer_Operation{CreateDisk: &mesos.Offer_Operation_CreateDisk{Source: free}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			v := viewWithOperation(t, c.info)
			for who, seen := range map[string]bool{"": true, "somebody": true, "roles": c.seen} {
				if got := getOperations(v, a.visibleTo(who)).Operations; (len(got) == 1) != seen {
					t.Errorf("%q sees %v", who, got)
				}
			}
		})
	}
}

// viewWithOperation is of a master whose only agent has just told it of an operation.
func viewWithOperation(t *testing.T, info *mesos.Offer_Operation) *state.View {
	t.Helper()
	m, now := state.New(state.DefaultConfig(&mesos.MasterInfo{Id: new("m"), Ip: new(uint32(1)), Port: new(uint32(5050))})), time.Now()
	step := func(in state.Input) { answerWrites(m, m.Step(in, now), now) }
	step(state.Recovered{Registry: &registrypb.Registry{}})
	id := &mesos.AgentID{Value: new("old-S0")}
	tell := func(message proto.Message) {
		step(state.PeerMessage{From: "slave(1)@10.1.0.1:5051", To: "master", Message: message})
	}
	tell(&messages.ReregisterSlaveMessage{Slave: &mesos.AgentInfo{Id: id, Hostname: new("h"), Port: new(int32(5051))}, Version: new("1.11.0")})
	status := &mesos.OperationStatus{State: mesos.OperationState_OPERATION_PENDING.Enum()}
	tell(&messages.UpdateSlaveMessage{SlaveId: id, Operations: &messages.UpdateSlaveMessage_Operations{Operations: []*mesos.Operation{{
		AgentId: id, Uuid: &mesos.UUID{Value: []byte("0123456789abcdef")}, Info: info, LatestStatus: status,
		Statuses: []*mesos.OperationStatus{status}}}}})
	v := m.View()
	if v.Operations.Len() != 1 {
		t.Fatalf("%d operations", v.Operations.Len())
	}
	return v
}

// Subscribers get the events that they may see, and of those what they may see.
func TestEventsTellNoMoreThanMayBeSeen(t *testing.T) {
	a := limited(t)
	info := &mesos.FrameworkInfo{User: new("root"), Name: new("f")}
	reserved := []*mesos.Resource{{Name: new("cpus"), Reservations: []*mesos.Resource_ReservationInfo{{Role: new("web")}}}}
	events := map[string]state.Publish{
		"task": {Framework: info, Event: &mesosmaster.Event{Type: mesosmaster.Event_TASK_UPDATED.Enum()}},
		"framework": {Event: &mesosmaster.Event{Type: mesosmaster.Event_FRAMEWORK_ADDED.Enum(), FrameworkAdded: &mesosmaster.Event_FrameworkAdded{
			Framework: &mesosmaster.Response_GetFrameworks_Framework{FrameworkInfo: info, AllocatedResources: reserved}}}},
		"removed": {Event: &mesosmaster.Event{Type: mesosmaster.Event_FRAMEWORK_REMOVED.Enum(),
			FrameworkRemoved: &mesosmaster.Event_FrameworkRemoved{FrameworkInfo: info}}},
		"agent": {Event: &mesosmaster.Event{Type: mesosmaster.Event_AGENT_ADDED.Enum(), AgentAdded: &mesosmaster.Event_AgentAdded{
			Agent: &mesosmaster.Response_GetAgents_Agent{AgentInfo: &mesos.AgentInfo{Hostname: new("h"), Resources: reserved}, TotalResources: reserved}}}},
		"heartbeat": {Event: &mesosmaster.Event{Type: mesosmaster.Event_HEARTBEAT.Enum()}},
	}
	for who, hidden := range map[string][]string{
		"": nil, "outsider": {"task", "framework", "removed"}, "tasks": {"task"}, "roles": nil,
	} {
		see := a.visibleTo(who)
		for name, published := range events {
			got := see.event(published)
			if (got == nil) != slices.Contains(hidden, name) {
				t.Errorf("%q sees %s: %v", who, name, got)
			}
			shown := len(got.GetAgentAdded().GetAgent().GetTotalResources()) + len(got.GetAgentAdded().GetAgent().GetAgentInfo().GetResources()) +
				len(got.GetFrameworkAdded().GetFramework().GetAllocatedResources())
			if who == "roles" && shown != 0 {
				t.Errorf("%q sees resources of hidden roles: %v", who, got)
			}
			if who == "" && got != published.Event {
				t.Errorf("%s is copied for who sees everything", name)
			}
		}
	}
}
