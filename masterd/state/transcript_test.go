package state

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages/registry"
	_ "github.com/mesos-operator/mesos-operator/api/mesos/v0/scheduler" // mesos.scheduler.Call by name
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	mesosmaster "github.com/mesos-operator/mesos-operator/api/mesos/v1/master"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
	"github.com/mesos-operator/mesos-operator/internal/codec"
	"github.com/mesos-operator/mesos-operator/internal/resources"
	"github.com/mesos-operator/mesos-operator/masterd/registry/op"
)

var rewrite = flag.Bool("rewrite", false, "write what the machine does into the transcripts")

// TestTranscripts plays the transcripts in testdata. Each is a sequence of
// steps: one or more lines of input, a line "----", and the effects that the
// machine answers with, up to an empty line. Lines of input are
//
//	define NAME TEXT              ${NAME} is TEXT from here on
//	recovered JSON                Recovered, with a registry
//	call REPLY STREAM [as PRINCIPAL] JSON   SchedulerCall
//	closed STREAM                 StreamClosed
//	message PID [as PRINCIPAL] NAME JSON    PeerMessage; NAME without mesos.internal.
//	exited PID                    PeerExited
//	operator REPLY JSON           OperatorCall
//	allocated FRAMEWORK ROLE AGENT RESOURCES   Allocated, one proposal
//	asked FRAMEWORK AGENT         Allocated, one inverse proposal
//	persisted                     Persisted, for the oldest Persist
//	persist-fails                 the same, with an error
//	fire KIND [ID]                TimerFired, at the time it is due
//	advance DURATION              time passes
//	config NAME VALUE             before the first input
//	view                          shows the tables of a View
//
// "-" stands for none. Log lines are shown from warnings on.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := newPlayer(t).play(string(data))
			if *rewrite {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(strings.Split(string(data), "\n"), strings.Split(got, "\n")); diff != "" {
				t.Errorf("the machine acts differently (-want +got; run with -rewrite if that is right):\n%s", diff)
			}
		})
	}
}

// player feeds a machine from a transcript.
type player struct {
	t        *testing.T
	cfg      Config
	m        *Machine
	now      time.Time
	defs     map[string]string
	reg      *registry.Registry
	index    *op.Index
	persists []Persist
}

func testConfig() Config {
	return DefaultConfig(&mesos.MasterInfo{
		Id: new("m"), Ip: new(uint32(0)), Port: new(uint32(5050)), Pid: new("master@10.0.0.1:5050"),
	})
}

// epoch is when transcripts and properties begin.
var epoch = time.Unix(1_000_000, 0).UTC()

func newPlayer(t *testing.T) *player {
	p := &player{t: t, cfg: testConfig(), now: epoch, defs: map[string]string{}, reg: &registry.Registry{}}
	p.index = op.NewIndex(p.reg)
	return p
}

// play returns the transcript with the effects that the machine had.
func (p *player) play(text string) string {
	var out strings.Builder
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	var effects []string
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		out.WriteString(line + "\n")
		switch {
		case line == "----":
			for _, e := range effects {
				out.WriteString(e + "\n")
			}
			effects = nil
			for i+1 < len(lines) && lines[i+1] != "" {
				i++
			}
		case line == "" || strings.HasPrefix(line, "#"):
		default:
			effects = append(effects, p.input(p.expand(line))...)
		}
	}
	if len(effects) > 0 {
		p.t.Errorf("the last input has no ---- after it")
	}
	return out.String()
}

func (p *player) expand(line string) string {
	for name, text := range p.defs {
		line = strings.ReplaceAll(line, "${"+name+"}", text)
	}
	return line
}

// input does one line.
func (p *player) input(line string) []string {
	p.t.Helper()
	verb, rest, _ := strings.Cut(line, " ")
	switch verb {
	case "define":
		name, text, _ := strings.Cut(rest, " ")
		p.defs[name] = text
		return nil
	case "config":
		name, value, _ := strings.Cut(rest, " ")
		p.configure(name, value)
		return nil
	case "advance":
		d, err := time.ParseDuration(rest)
		p.must(err)
		p.now = p.now.Add(d)
		return nil
	case "view":
		return p.showView()
	}
	return p.step(p.parse(verb, rest))
}

func (p *player) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *player) configure(name, value string) {
	switch name {
	case "offer_timeout":
		d, err := time.ParseDuration(value)
		p.must(err)
		p.cfg.OfferTimeout = d
	case "roles":
		p.cfg.Roles = strings.Split(value, ",")
	case "authenticate":
		p.cfg.AuthenticateAgents, p.cfg.AuthenticateFrameworks = true, true
	case "no-root":
		p.cfg.NoRootSubmissions = true
	case "max_completed_tasks":
		p.cfg.MaxCompletedTasksPerFramework = p.number(value)
	case "max_unreachable_tasks":
		p.cfg.MaxUnreachableTasksPerFramework = p.number(value)
	case "max_completed_frameworks":
		p.cfg.MaxCompletedFrameworks = p.number(value)
	case "max_executors":
		p.cfg.MaxExecutorsPerAgent = p.number(value)
	case "rate_limits":
		p.cfg.RateLimits = &mesos.RateLimits{}
		p.must(codec.Unmarshal(codec.JSON, []byte(value), p.cfg.RateLimits))
	default:
		p.t.Fatalf("no config %q", name)
	}
}

func (p *player) number(text string) int {
	n, err := strconv.Atoi(text)
	p.must(err)
	return n
}

func (p *player) parse(verb, rest string) Input {
	p.t.Helper()
	word := func() string {
		var w string
		w, rest, _ = strings.Cut(rest, " ")
		if w == "-" {
			return ""
		}
		return w
	}
	principal := func() string {
		if strings.HasPrefix(rest, "as ") {
			word()
			return word()
		}
		return ""
	}
	switch verb {
	case "recovered":
		p.must(codec.Unmarshal(codec.JSON, []byte(rest), p.reg))
		p.index = op.NewIndex(p.reg)
		return Recovered{Registry: p.reg}
	case "call":
		in := SchedulerCall{Reply: replyID(word()), Stream: StreamID(word()), Principal: principal(), Call: &scheduler.Call{}}
		p.must(codec.Unmarshal(codec.JSON, []byte(rest), in.Call))
		return in
	case "closed":
		return StreamClosed{Stream: StreamID(word())}
	case "message":
		in := PeerMessage{From: PID(word()), To: masterProcess, Principal: principal()}
		in.Message = p.message(word())
		p.must(codec.Unmarshal(codec.JSON, []byte(rest), in.Message))
		return in
	case "exited":
		return PeerExited{PID: PID(word())}
	case "operator":
		in := OperatorCall{Reply: replyID(word()), Principal: principal(), Call: &mesosmaster.Call{}}
		p.must(codec.Unmarshal(codec.JSON, []byte(rest), in.Call))
		return in
	case "allocated":
		proposal := Proposal{Framework: FrameworkID(word()), Role: word(), Agent: AgentID(word())}
		list, err := resources.ParseProto(rest, "*")
		p.must(err)
		r := resources.Of(list...)
		proposal.Resources = r.Allocate(proposal.Role).Proto()
		return Allocated{Proposals: []Proposal{proposal}, Quota: p.m.policy.version}
	case "asked":
		return Allocated{Inverse: []InverseProposal{{Framework: FrameworkID(word()), Agent: AgentID(word())}}}
	case "persisted":
		return p.persisted()
	case "persist-fails":
		in := p.persisted()
		in.Results, in.Err = nil, fmt.Errorf("disk on fire")
		return in
	case "fire":
		return p.fire(word(), rest)
	}
	p.t.Fatalf("no input %q", verb)
	return nil
}

func replyID(text string) ReplyID {
	var id ReplyID
	_, _ = fmt.Sscan(text, &id)
	return id
}

func (p *player) message(name string) proto.Message {
	p.t.Helper()
	if name != "mesos.scheduler.Call" {
		name = "mesos.internal." + name
	}
	mt, err := protoregistry.GlobalTypes.FindMessageByName(protoreflect.FullName(name))
	p.must(err)
	return mt.New().Interface()
}

func (p *player) persisted() Persisted {
	p.t.Helper()
	if len(p.persists) == 0 {
		p.t.Fatal("nothing is to be persisted")
	}
	next := p.persists[0]
	p.persists = p.persists[1:]
	return Persisted{Token: next.Token, Results: op.Apply(p.reg, p.index, next.Operations)}
}

func (p *player) fire(kind, id string) Input {
	p.t.Helper()
	for timer, due := range p.m.timers {
		if timer.Kind.String() == kind && timer.ID == id {
			if due.After(p.now) {
				p.now = due
			}
			return TimerFired{Timer: timer}
		}
	}
	p.t.Fatalf("timer %s %s is not armed", kind, id)
	return nil
}

func (p *player) step(in Input) []string {
	if p.m == nil {
		p.must(p.cfg.Validate())
		p.m = New(p.cfg)
	}
	var lines []string
	for _, e := range p.m.Step(in, p.now) {
		if persist, ok := e.(Persist); ok {
			p.persists = append(p.persists, persist)
		}
		if line := render(e); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

// render is one line that says all of an effect.
func render(e Effect) string {
	switch e := e.(type) {
	case Reply:
		return fmt.Sprintf("reply %d: %d %s", e.Reply, e.Status, e.Text)
	case OpenStream:
		return fmt.Sprintf("reply %d: 200, stream %s", e.Reply, e.Stream)
	case SendEvent:
		return fmt.Sprintf("event %s: %s", e.Stream, js(e.Event))
	case CloseStream:
		return fmt.Sprintf("close %s", e.Stream)
	case SendMessage:
		name := strings.TrimPrefix(string(e.Message.ProtoReflect().Descriptor().FullName()), "mesos.internal.")
		return fmt.Sprintf("send %s -> %s: %s %s", e.From, e.To, name, js(e.Message))
	case EndProcess:
		return "end " + e.ID
	case Link:
		return fmt.Sprintf("link %s", e.PID)
	case Unlink:
		return fmt.Sprintf("unlink %s", e.PID)
	case Persist:
		var names []string
		for _, o := range e.Operations {
			names = append(names, op.Name(o))
		}
		return fmt.Sprintf("persist %d: %s", e.Token, strings.Join(names, ", "))
	case Arm:
		return strings.TrimSpace(fmt.Sprintf("arm %s %s", e.Timer.Kind, e.Timer.ID)) + " " + e.After.String()
	case Disarm:
		return strings.TrimSpace(fmt.Sprintf("disarm %s %s", e.Timer.Kind, e.Timer.ID))
	case Publish:
		return "publish " + js(e.Event)
	case Log:
		if e.Level < LogWarning {
			return ""
		}
		return strings.TrimSpace("warn " + e.Text + " " + strings.Trim(fmt.Sprint(e.KeysAndValues), "[]"))
	case Abdicate:
		return "abdicate: " + e.Reason.Error()
	}
	return renderAllocator(e)
}

func renderAllocator(e Effect) string {
	text := func(list []*mesos.Resource) string { return resources.Of(list...).String() }
	switch e := e.(type) {
	case AllocStart:
		return fmt.Sprintf("alloc start: %d agents, %d quotas, %d weights", e.ExpectedAgents, len(e.Quotas), len(e.Weights))
	case AllocUpdateWeights:
		return fmt.Sprintf("alloc weights: %s", jsonList(e.Weights))
	case AllocUpdateQuota:
		return fmt.Sprintf("alloc quota: %s", jsonList(e.Quotas))
	case AllocUpdateUnavailability:
		return fmt.Sprintf("alloc unavailability of %s: %s", e.Agent, jsonList([]*mesos.Unavailability{e.Unavailability}))
	case AllocUpdateInverseOffer:
		return fmt.Sprintf("alloc inverse offer of %s to %s is settled, filters %v", e.Agent, e.Framework, e.Filters != nil)
	case AllocAddFramework:
		return fmt.Sprintf("alloc add framework %s: active %t, roles %v, suppressed %v",
			e.Info.GetId().GetValue(), e.Active, rolesOf(e.Info), e.Suppressed)
	case AllocUpdateFramework:
		return fmt.Sprintf("alloc update framework %s: roles %v, suppressed %v",
			e.Info.GetId().GetValue(), rolesOf(e.Info), e.Suppressed)
	case AllocAddAgent:
		used := ""
		for _, u := range e.Used {
			used += fmt.Sprintf(", %s has %s", u.Framework, text(u.Resources))
		}
		return fmt.Sprintf("alloc add agent %s: %s%s", e.Info.GetId().GetValue(), text(e.Total), used)
	case AllocUpdateAgent:
		return fmt.Sprintf("alloc update agent %s: %s", e.Info.GetId().GetValue(), text(e.Total))
	case AllocConvert:
		return fmt.Sprintf("alloc convert of %s on %s:%s", e.Framework, e.Agent, renderConversions(e.Conversions))
	case AllocConvertFree:
		return fmt.Sprintf("alloc convert free on %s:%s", e.Agent.Info.GetId().GetValue(), renderConversions(e.Conversions))
	case AllocRecover:
		filter := ""
		if e.Filters != nil {
			filter = fmt.Sprintf(", refused for %gs", e.Filters.GetRefuseSeconds())
		}
		return fmt.Sprintf("alloc recover %s on %s: %s%s", e.Framework, e.Agent, text(e.Resources), filter)
	case AllocTrack:
		return fmt.Sprintf("alloc track %s on %s: %s", e.Framework, e.Agent, text(e.Resources))
	}
	name := strings.TrimPrefix(fmt.Sprintf("%T", e), "state.Alloc")
	return fmt.Sprintf("alloc %s %v", name, e)
}

func renderConversions(list []resources.Conversion) string {
	var b strings.Builder
	for _, c := range list {
		fmt.Fprintf(&b, " %s => %s", c.Consumed, c.Converted)
	}
	return b.String()
}

func js(m proto.Message) string {
	b, err := codec.Marshal(codec.JSON, m)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// showView lists what a View has.
func (p *player) showView() []string {
	v := p.m.View()
	var lines []string
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	text := func(list []*mesos.Resource) string { return resources.Of(list...).String() }
	for f := range v.Frameworks.All() {
		add("framework %s: connected %t, active %t, recovered %t, used %s, offered %s",
			f.ID, f.Connected, f.Active, f.Recovered, text(f.Used), text(f.Offered))
	}
	for f := range v.CompletedFrameworks.All() {
		add("completed framework %s", f.ID)
	}
	for a := range v.Agents.All() {
		add("agent %s: connected %t, active %t, total %s, used %s, offered %s",
			a.ID, a.Connected, a.Active, text(a.Total), text(a.Used), text(a.Offered))
		if a.Drain != nil || a.Deactivated {
			add("agent %s: deactivated %t, drain %s since %s", a.ID, a.Deactivated,
				jsonList([]*mesos.DrainInfo{a.Drain}), a.DrainStarted.Format(time.RFC3339))
		}
	}
	if len(v.Schedule.Windows) > 0 {
		add("maintenance %s", v.Maintenance.AppendMesosJSON(nil))
	}
	for a := range v.RecoveredAgents.All() {
		add("recovered agent %s", a.GetId().GetValue())
	}
	for a := range v.UnreachableAgents.All() {
		add("unreachable agent %s since %s", a.ID, a.Since.Format(time.RFC3339))
	}
	for a := range v.GoneAgents.All() {
		add("gone agent %s since %s", a.ID, a.Since.Format(time.RFC3339))
	}
	lines = append(lines, showTasks("task", v.Tasks)...)
	lines = append(lines, showTasks("unreachable task", v.UnreachableTasks)...)
	lines = append(lines, showTasks("completed task", v.CompletedTasks)...)
	for e := range v.Executors.All() {
		add("executor %s of %s on %s", e.Info.GetExecutorId().GetValue(), e.Framework, e.Agent)
	}
	for o := range v.Offers.All() {
		add("offer %s to %s of %s", o.Offer.GetId().GetValue(), o.Offer.GetFrameworkId().GetValue(), o.Offer.GetAgentId().GetValue())
	}
	for _, principal := range slices.Sorted(maps.Keys(v.Stats.Principals)) {
		n := v.Stats.Principals[principal]
		add("principal %s: %d messages received, %d processed", principal, n.Received, n.Processed)
	}
	for o := range v.Operations.All() {
		add("operation %s of %s on %s: %s", o.GetInfo().GetType(), o.GetFrameworkId().GetValue(), o.GetAgentId().GetValue(),
			o.GetLatestStatus().GetState())
	}
	return lines
}

func showTasks(what string, tasks Table[mesos.Task]) []string {
	var lines []string
	for t := range tasks.All() {
		var states bytes.Buffer
		for _, s := range t.GetStatuses() {
			fmt.Fprintf(&states, " %s", s.GetState())
		}
		lines = append(lines, fmt.Sprintf("%s %s of %s: %s, statuses%s", what, t.GetTaskId().GetValue(),
			t.GetFrameworkId().GetValue(), t.GetState(), states.String()))
	}
	return lines
}
