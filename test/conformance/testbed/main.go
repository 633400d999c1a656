package testbed

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"
)

// runVariable tells the child which directory is its own. It doesn't begin with
// MESOS_, which would make it a flag of the daemons.
const runVariable = "TESTBED_RUN"

// Main is TestMain: it runs the tests in a child and sweeps up behind it. It
// doesn't return.
func Main(m *testing.M) {
	if RunDir() != "" {
		os.Exit(m.Run())
	}
	code, err := Supervise(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "testbed:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// RunDir is the directory of everything that this run makes; "" outside of one.
func RunDir() string { return os.Getenv(runVariable) }

// Supervise executes this program again with the arguments and a RunDir, and
// removes all traces of what the child started. It returns the child's exit
// code.
func Supervise(args []string) (code int, err error) {
	dir, err := os.MkdirTemp("", "testbed-")
	if err != nil {
		return 1, fmt.Errorf("making the run's directory: %w", err)
	}
	defer func() {
		if swept := sweep(dir); err == nil {
			err = swept
		}
	}()
	// Tasks may run as somebody else, who has to get to the sandboxes.
	if err := os.Chmod(dir, 0o755); err != nil {
		return 1, fmt.Errorf("opening the run's directory: %w", err)
	}
	self, err := os.Executable()
	if err != nil {
		return 1, fmt.Errorf("finding this program: %w", err)
	}
	child := exec.Command(self, args...)
	child.Env = append(os.Environ(), runVariable+"="+dir)
	child.Stdin, child.Stdout, child.Stderr = os.Stdin, os.Stdout, os.Stderr
	// A terminal sends signals to both; others' are passed on.
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGQUIT)
	defer signal.Stop(signals)
	if err := child.Start(); err != nil {
		return 1, fmt.Errorf("starting the child: %w", err)
	}
	go func() {
		for s := range signals {
			_ = child.Process.Signal(s) // it may have ended
		}
	}()
	// Its exit code says what Wait's error would.
	_ = child.Wait()
	if code := child.ProcessState.ExitCode(); code >= 0 {
		return code, nil
	}
	return 1, fmt.Errorf("the child was ended by %v", child.ProcessState)
}
