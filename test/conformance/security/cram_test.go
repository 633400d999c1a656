package security

import (
	"crypto/hmac"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// challenge begins to play the client's side on raw sockets, as libsasl2 does in
// libmesos. It returns the session that waits for an answer to the challenge.
func challenge(t testing.TB, p *testbed.Peer, master *testbed.Master) (session string, data []byte) {
	t.Helper()
	p.Send("master@"+master.Address, "mesos.internal.AuthenticateMessage", &messages.AuthenticateMessage{Pid: &p.PID})
	mechanisms := &messages.AuthenticationMechanismsMessage{}
	session = p.Receive("mesos.internal.AuthenticationMechanismsMessage", mechanisms).From
	if len(mechanisms.Mechanisms) != 1 || mechanisms.Mechanisms[0] != "CRAM-MD5" {
		t.Fatalf("mechanisms %v", mechanisms.Mechanisms)
	}
	p.Send(session, "mesos.internal.AuthenticationStartMessage",
		&messages.AuthenticationStartMessage{Mechanism: new("CRAM-MD5"), Data: []byte{}})
	step := &messages.AuthenticationStepMessage{}
	p.Receive("mesos.internal.AuthenticationStepMessage", step)
	return session, step.Data
}

// response answers a challenge.
func response(challenge []byte, principal, secret string) []byte {
	mac := hmac.New(md5.New, []byte(secret))
	mac.Write(challenge)
	return []byte(principal + " " + hex.EncodeToString(mac.Sum(nil)))
}

// authenticate plays the client's side to its end. It returns the name of the
// message that ended it.
func authenticate(t testing.TB, p *testbed.Peer, master *testbed.Master, principal, secret string) string {
	t.Helper()
	session, data := challenge(t, p, master)
	p.Send(session, "mesos.internal.AuthenticationStepMessage",
		&messages.AuthenticationStepMessage{Data: response(data, principal, secret)})
	return p.ReceiveOne("mesos.internal.AuthenticationCompletedMessage", "mesos.internal.AuthenticationFailedMessage",
		"mesos.internal.AuthenticationErrorMessage").Name
}

const (
	completed = "mesos.internal.AuthenticationCompletedMessage"
	failed    = "mesos.internal.AuthenticationFailedMessage"
)

func TestDriversAuthenticate(t *testing.T) {
	m := testbed.StartMaster(t, "--credentials="+credentials(t), "--authenticate_frameworks")
	register := func(p *testbed.Peer, principal *string) {
		p.Send("master@"+m.Address, "mesos.internal.RegisterFrameworkMessage", &messages.RegisterFrameworkMessage{
			Framework: &mesos.FrameworkInfo{User: new("root"), Name: new("driver"), Principal: principal}})
	}
	refused := func(p *testbed.Peer, want string) {
		t.Helper()
		got := &messages.FrameworkErrorMessage{}
		p.Receive("mesos.internal.FrameworkErrorMessage", got)
		if !strings.Contains(got.GetMessage(), want) {
			t.Errorf("refused because of %q, want %q", got.GetMessage(), want)
		}
	}
	p := testbed.NewPeer(t, "scheduler-1")
	register(p, nil)
	refused(p, "not authenticated")

	for wrong, principal := range map[string]string{"wrong": "marathon", secret: "nobody"} {
		if got := authenticate(t, p, m, principal, wrong); got != failed {
			t.Errorf("%s with %s: %s", principal, wrong, got)
		}
	}
	register(p, nil)
	refused(p, "not authenticated")

	// It may try again, and then has the principal, which must be its own.
	if got := authenticate(t, p, m, "marathon", secret); got != completed {
		t.Fatal(got)
	}
	register(p, new("ops"))
	refused(p, "principal")
	register(p, nil)
	p.Receive("mesos.internal.FrameworkRegisteredMessage", &messages.FrameworkRegisteredMessage{})
	if got := m.Get("/frameworks").At("frameworks").List()[0].At("principal").Text(); got != "marathon" {
		t.Errorf("principal %q", got)
	}
	// Another process isn't authenticated with it, nor the same one once its
	// connection broke.
	other := testbed.NewPeer(t, "scheduler-1")
	register(other, nil)
	refused(other, "not authenticated")
}

// TestWithoutCredentialsDriversAreRefused: a master that needs no authentication
// still tells who tries it that it failed.
func TestWithoutCredentialsDriversAreRefused(t *testing.T) {
	m := testbed.StartMaster(t)
	p := testbed.NewPeer(t, "scheduler-1")
	if got := authenticate(t, p, m, "marathon", secret); got != failed {
		t.Error(got)
	}
}

func TestNativeAgentsAuthenticate(t *testing.T) {
	m := testbed.StartMaster(t, "--credentials="+credentials(t), "--authenticate_agents")
	p := testbed.NewPeer(t, "slave(1)")
	register := func() {
		p.Send("master@"+m.Address, "mesos.internal.RegisterSlaveMessage", &messages.RegisterSlaveMessage{
			Slave: &mesos.AgentInfo{Hostname: new("native"), Resources: []*mesos.Resource{{
				Name: new("cpus"), Type: mesos.Value_SCALAR.Enum(), Scalar: &mesos.Value_Scalar{Value: new(1.0)}, Role: new("*")}}},
			Version: new("1.11.0"),
		})
	}
	for n := range 2 { // it may try again
		register()
		testbed.Eventually(t, "the registration was handled", func() error {
			if got := m.Get("/metrics/snapshot").At("master/messages_register_slave").Number(); got != float64(n+1) {
				return fmt.Errorf("%v were, not %d", got, n+1)
			}
			return nil
		})
	}
	if n := len(m.Get("/slaves").At("slaves").List()); n != 0 {
		t.Errorf("%d agents registered without a secret", n)
	}
	if got := authenticate(t, p, m, "agent", secret); got != completed {
		t.Fatal(got)
	}
	// Messages to a peer are in order: what came of the registrations is here.
	if got := p.Names(); slices.ContainsFunc(got, func(name string) bool {
		return name == "mesos.internal.ShutdownMessage" || name == "mesos.internal.SlaveRegisteredMessage"
	}) {
		t.Errorf("an agent that isn't authenticated got %s", got)
	}
	register()
	p.Receive("mesos.internal.SlaveRegisteredMessage", &messages.SlaveRegisteredMessage{})
}

func awaitAgents(t testing.TB, m *testbed.Master, n int) {
	t.Helper()
	testbed.Eventually(t, fmt.Sprintf("%d agents are registered", n), func() error {
		active := 0
		for _, a := range m.Get("/slaves").At("slaves").List() {
			if a.At("active").True() {
				active++
			}
		}
		if active != n {
			return fmt.Errorf("%d are", active)
		}
		return nil
	})
}

// TestOurAgentAuthenticates: through a master's restart too; one with a wrong
// secret ends, one without waits outside.
func TestOurAgentAuthenticates(t *testing.T) {
	m := testbed.StartMaster(t, "--credentials="+credentials(t), "--authenticate_agents")
	good := testbed.NewAgent(t, m.Address, testbed.Posix, "--credential="+file(t, "credential", "agent "+secret))
	good.Start()
	awaitAgents(t, m, 1)
	wrong := testbed.NewAgent(t, m.Address, testbed.Posix, `--credential={"principal":"agent","secret":"wrong"}`)
	wrong.Launch()
	if state := wrong.AwaitEnd(); state.Success() {
		t.Errorf("an agent with a wrong secret ended with %v", state)
	}
	if !strings.Contains(wrong.Log(), "refused the credential") {
		t.Errorf("it doesn't say why:\n%s", wrong.Log())
	}
	without := testbed.NewAgent(t, m.Address, testbed.Posix)
	without.Start()
	m.Kill()
	m.Start()
	awaitAgents(t, m, 1)
	if strings.Contains(m.Log(), "panic") {
		t.Error("the master panicked")
	}
}

// TestAgentWaitsForASilentMaster: a master that doesn't answer is asked again.
func TestAgentWaitsForASilentMaster(t *testing.T) {
	p := testbed.NewPeer(t, "master")
	address := strings.TrimPrefix(p.PID, "master@")
	a := testbed.NewAgent(t, address, testbed.Posix, `--credential={"principal":"agent","secret":"x"}`,
		"--authentication_timeout_min=100ms", "--authentication_timeout_max=200ms", "--authentication_backoff_factor=10ms")
	a.Start()
	for range 3 {
		got := &messages.AuthenticateMessage{}
		p.Receive("mesos.internal.AuthenticateMessage", got)
		if want := "slave(1)@" + a.Address; got.GetPid() != want {
			t.Errorf("it wants %s authenticated, not %s", got.GetPid(), want)
		}
	}
	for _, name := range p.Names() {
		if name == "mesos.internal.RegisterSlaveMessage" {
			t.Error("it registers without having authenticated")
		}
	}
}
