package testbed

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/mesos-operator/mesos-operator"

// binVariable names a directory with binaries to use instead of new ones.
const binVariable = "TESTBED_BIN"

// binaries are built when the first test asks for them, static as they are
// shipped.
var binaries = map[string]func() (string, error){
	"masterd":   sync.OnceValues(func() (string, error) { return build("masterd") }),
	"agentd":    sync.OnceValues(func() (string, error) { return buildAgent() }),
	"executord": executord,
	"mesosctl":  sync.OnceValues(func() (string, error) { return build("mesosctl") }),
	// agentd-failpoint is an agentd that can be told where to die.
	"agentd-failpoint": sync.OnceValues(func() (string, error) { return buildAgent("-tags=failpoint") }),
}

var executord = sync.OnceValues(func() (string, error) { return build("executord") })

// buildAgent builds an agent, and what it expects to find beside it.
func buildAgent(flags ...string) (string, error) {
	path, err := build("agentd", flags...)
	if err != nil {
		return "", err
	}
	_, err = executord()
	return path, err
}

func build(program string, flags ...string) (string, error) {
	if dir := os.Getenv(binVariable); dir != "" && len(flags) == 0 {
		return filepath.Join(dir, program), nil
	}
	path := filepath.Join(RunDir(), "bin", strings.Join(append([]string{program}, flags...), ""))
	args := append([]string{"build", "-trimpath", "-o", path}, flags...)
	command := exec.Command("go", append(args, module+"/cmd/"+program)...)
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building %s: %w\n%s", program, err, out)
	}
	return path, nil
}

// Binary returns the path of a program: "masterd", "agentd", "executord",
// "mesosctl" or "agentd-failpoint".
func Binary(t testing.TB, program string) string {
	t.Helper()
	if RunDir() == "" {
		t.Fatal("testbed.Main doesn't run this test")
	}
	path, err := binaries[program]()
	if err != nil {
		t.Fatal(err)
	}
	return path
}
