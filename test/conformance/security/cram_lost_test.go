package security

import (
	"bytes"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// TestDriversComeBackWhileTheyAuthenticate: exchanges that were given up in
// between, by the driver, by another driver that takes its framework over, and by
// the end of the master, hinder none that follows.
func TestDriversComeBackWhileTheyAuthenticate(t *testing.T) {
	m := testbed.StartMaster(t, "--credentials="+credentials(t), "--authenticate_frameworks")
	reregister := func(p *testbed.Peer, id *mesos.FrameworkID, principal string) {
		p.Send("master@"+m.Address, "mesos.internal.ReregisterFrameworkMessage", &messages.ReregisterFrameworkMessage{
			Framework: &mesos.FrameworkInfo{User: new("root"), Name: new("driver"), Id: id, Principal: &principal, FailoverTimeout: new(600.0)},
			Failover:  new(true),
		})
	}
	passes := func(p *testbed.Peer) {
		t.Helper()
		if got := authenticate(t, p, m, "marathon", secret); got != completed {
			t.Fatal(got)
		}
	}

	// What answers the challenge is lost, or what tells that it was accepted: it begins again.
	first := testbed.NewPeer(t, "scheduler-1")
	stale, data := challenge(t, first, m)
	challenge(t, first, m)
	passes(first)
	passes(first)
	// An answer to the first challenge that comes late is for nobody.
	first.Send(stale, "mesos.internal.AuthenticationStepMessage",
		&messages.AuthenticationStepMessage{Data: response(data, "marathon", "wrong")})
	first.Send("master@"+m.Address, "mesos.internal.RegisterFrameworkMessage", &messages.RegisterFrameworkMessage{
		Framework: &mesos.FrameworkInfo{User: new("root"), Name: new("driver"), Principal: new("marathon"), FailoverTimeout: new(600.0)}})
	registered := &messages.FrameworkRegisteredMessage{}
	first.Receive("mesos.internal.FrameworkRegisteredMessage", registered)

	// Its framework is taken over while it authenticates: not by who names another principal,
	challenge(t, first, m)
	second := testbed.NewPeer(t, "scheduler-2")
	passes(second)
	reregister(second, registered.GetFrameworkId(), "ops")
	refusal := &messages.FrameworkErrorMessage{}
	second.Receive("mesos.internal.FrameworkErrorMessage", refusal)
	if !strings.Contains(refusal.GetMessage(), "principal") {
		t.Errorf("refused because of %q", refusal.GetMessage())
	}
	// but by who names its own; only then does the first one end.
	if slices.Contains(first.Names(), "mesos.internal.FrameworkErrorMessage") {
		t.Error("a refused driver ended the one that was there")
	}
	reregister(second, registered.GetFrameworkId(), "marathon")
	again := &messages.FrameworkRegisteredMessage{}
	second.Receive("mesos.internal.FrameworkRegisteredMessage", again)
	if again.GetFrameworkId().GetValue() != registered.GetFrameworkId().GetValue() {
		t.Errorf("registered as %v, not as %v", again.GetFrameworkId(), registered.GetFrameworkId())
	}
	first.Receive("mesos.internal.FrameworkErrorMessage", refusal)
	if refusal.GetMessage() != "Framework failed over" {
		t.Errorf("ended because of %q", refusal.GetMessage())
	}

	// The master ends while one authenticates; the next one knows nothing of it.
	challenge(t, second, m)
	m.Kill()
	m.Start()
	third := testbed.NewPeer(t, "scheduler-2")
	passes(third)
	reregister(third, registered.GetFrameworkId(), "marathon")
	third.Receive("mesos.internal.FrameworkRegisteredMessage", again)
	if again.GetFrameworkId().GetValue() != registered.GetFrameworkId().GetValue() {
		t.Errorf("registered as %v, not as %v", again.GetFrameworkId(), registered.GetFrameworkId())
	}
}

// forgetful is a master that lets none of the first exchanges come to its end.
type forgetful struct {
	peer *testbed.Peer
	mu   sync.Mutex
	// attempts counts exchanges: the first one loses the mechanisms, the second
	// one the challenge and the third one the result; in the fourth one the master
	// ends, and another one begins at its address.
	attempts int
	answers  [][]byte
}

func (f *forgetful) reply(to testbed.Message, losing int, send func()) {
	f.mu.Lock()
	if to.Name == "mesos.internal.AuthenticateMessage" {
		f.attempts++
	}
	if to.Name == "mesos.internal.AuthenticationStepMessage" {
		step := &messages.AuthenticationStepMessage{}
		if err := proto.Unmarshal(to.Body, step); err == nil {
			f.answers = append(f.answers, step.Data)
		}
	}
	attempts := f.attempts
	f.mu.Unlock()
	switch {
	case attempts == 4 && to.Name == "mesos.internal.AuthenticationStartMessage":
		f.peer.Break()
	case attempts != 4 && attempts != losing, attempts == 4 && to.Name == "mesos.internal.AuthenticateMessage":
		send()
	}
}

// TestAgentBeginsAgain: an agent gets in, whatever message of an exchange is lost,
// and if its master is another one in the middle of it.
func TestAgentBeginsAgain(t *testing.T) {
	const nonce = "<1.2@master>"
	f := &forgetful{peer: testbed.NewPeer(t, "master")}
	for name, lost := range map[string]int{
		"mesos.internal.AuthenticateMessage": 1, "mesos.internal.AuthenticationStartMessage": 2, "mesos.internal.AuthenticationStepMessage": 3,
	} {
		f.peer.On(name, func(got testbed.Message) {
			f.reply(got, lost, func() {
				switch name {
				case "mesos.internal.AuthenticateMessage":
					f.peer.Send(got.From, "mesos.internal.AuthenticationMechanismsMessage",
						&messages.AuthenticationMechanismsMessage{Mechanisms: []string{"CRAM-MD5"}})
				case "mesos.internal.AuthenticationStartMessage":
					f.peer.Send(got.From, "mesos.internal.AuthenticationStepMessage",
						&messages.AuthenticationStepMessage{Data: []byte(nonce)})
				default:
					f.peer.Send(got.From, completed, &messages.AuthenticationCompletedMessage{})
				}
			})
		})
	}
	a := testbed.NewAgent(t, strings.TrimPrefix(f.peer.PID, "master@"), testbed.Posix, `--credential={"principal":"agent","secret":"x"}`,
		"--authentication_timeout_min=500ms", "--authentication_timeout_max=1secs", "--authentication_backoff_factor=10ms",
		"--registration_backoff_factor=10ms")
	a.Start()
	f.peer.Receive("mesos.internal.RegisterSlaveMessage", &messages.RegisterSlaveMessage{})
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.attempts < 5 {
		t.Errorf("it registers after %d attempts, none of which went to its end", f.attempts)
	}
	for _, got := range f.answers {
		if want := response([]byte(nonce), "agent", "x"); !bytes.Equal(got, want) {
			t.Errorf("it answered %q, not %q", got, want)
		}
	}
}
