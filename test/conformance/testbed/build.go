package testbed

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

const module = "github.com/mesos-operator/mesos-operator"

// binVariable names a directory with binaries to use instead of new ones.
const binVariable = "TESTBED_BIN"

var build = sync.OnceValues(func() (string, error) {
	if dir := os.Getenv(binVariable); dir != "" {
		return dir, nil
	}
	dir := filepath.Join(RunDir(), "bin")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("making the directory of binaries: %w", err)
	}
	command := exec.Command("go", "build", "-trimpath", "-o", dir+"/", module+"/cmd/masterd", module+"/cmd/agentd")
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building masterd and agentd: %w\n%s", err, out)
	}
	return dir, nil
})

// Binary returns the path of a program, "masterd" or "agentd". They are built
// once a run, static as they are shipped.
func Binary(t testing.TB, program string) string {
	t.Helper()
	if RunDir() == "" {
		t.Fatal("testbed.Main doesn't run this test")
	}
	dir, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, program)
}
