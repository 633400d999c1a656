package mesos

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/go-logr/logr"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/spawn"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/switchboard"
)

// agentVariable makes the test binary an agent that launches containers and then
// waits to be killed.
const agentVariable = "TEST_AS_AGENT"

// orders is what such an agent is told on its standard input.
type orders struct {
	Config     Config
	Containers []containerizer.Config
	// Loop says to launch and destroy containers named after the first for ever.
	Loop bool
	// Nested says that each of these gets a container nested in it, and that
	// another.
	Nested bool
}

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == switchboard.Name {
		os.Exit(switchboard.Main(os.Args[2:]))
	}
	if os.Getenv(agentVariable) != "" {
		if err := beAgent(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

func beAgent() error {
	var o orders
	if err := json.NewDecoder(os.Stdin).Decode(&o); err != nil {
		return err
	}
	ctx := context.Background()
	m, err := New(ctx, o.Config, logr.Discard(), func(*spawn.Spawner) (Fetcher, error) { return noURIs{}, nil })
	if err != nil {
		return err
	}
	if o.Loop {
		fmt.Println("ready")
		return loop(ctx, m, o.Containers[0], o.Nested)
	}
	for _, c := range o.Containers {
		if _, err := m.Launch(ctx, c); err != nil {
			return err
		}
	}
	fmt.Println("ready")
	select {}
}

func loop(ctx context.Context, m *Containerizer, c containerizer.Config, nested bool) error {
	base := c
	for i := 0; ; i++ {
		c.ID = containerizer.ID(fmt.Sprintf("%s-%d", base.ID, i))
		if base.CheckpointDir != "" {
			c.CheckpointDir = fmt.Sprintf("%s-%d", base.CheckpointDir, i)
		}
		if _, err := m.Launch(ctx, c); err != nil {
			return err
		}
		for id := c.ID.Child("n"); nested && id.Depth() < 3; id = id.Child("n") {
			if _, err := m.Launch(ctx, containerizer.Config{ID: id, Command: c.Command}); err != nil {
				return err
			}
		}
		if err := m.Destroy(ctx, c.ID); err != nil {
			return err
		}
		if err := m.Remove(ctx, c.ID); err != nil {
			return err
		}
	}
}

// startAgent starts an agent of its own process and returns once it has
// followed its orders.
func startAgent(t testing.TB, o orders) *exec.Cmd {
	t.Helper()
	in, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(o.Config.Binary)
	cmd.Env = append(os.Environ(), agentVariable+"=1")
	cmd.Stderr = os.Stderr
	// What outlives it must not keep the pipes of the test open.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_, _ = stdin.Write(in)
	_ = stdin.Close()
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("the agent said %q, error %v", line, err)
	}
	return cmd
}

// killedAgent has an agent launch containers, and kills it.
func killedAgent(t testing.TB, cfg Config, containers ...containerizer.Config) {
	t.Helper()
	cmd := startAgent(t, orders{Config: cfg, Containers: containers})
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
}
