package raft_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/mesos-operator/mesos-operator/masterd/registry/raft"
	"github.com/mesos-operator/mesos-operator/masterd/registry/storetest"
)

// crashDir names the directory to the process that is going to be killed.
const crashDir = "REGISTRY_CRASH_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		writeUntilKilled(dir)
	}
	os.Exit(m.Run())
}

// writeUntilKilled admits agents and prints each that is acknowledged.
func writeUntilKilled(dir string) {
	fail := func(err error) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	s, err := raft.Open(raft.Config{Dir: dir, SnapshotBytes: 4096})
	if err != nil {
		fail(err)
	}
	for !<-s.Leadership() {
	}
	term, reg, err := s.Lead(context.Background(), storetest.Master("a"))
	if err != nil {
		fail(err)
	}
	for i := len(storetest.Admitted(reg)); ; i++ {
		if _, err := term.Apply(context.Background(), admit(strconv.Itoa(i))); err != nil {
			fail(err)
		}
		fmt.Println(i)
	}
}

func TestKillLosesNothingAcknowledged(t *testing.T) {
	dir := t.TempDir()
	last := -1
	for round := range 5 {
		// A different moment each time, and always after the first write.
		last = max(last, runAndKill(t, dir, 1+round*17))
	}
	s := awaitLead(t, open(t, raft.Config{Dir: dir}))
	_, reg, err := s.Lead(t.Context(), storetest.Master("a"))
	if err != nil {
		t.Fatal(err)
	}
	admitted := storetest.Admitted(reg)
	for i := range last + 1 {
		if !slices.Contains(admitted, strconv.Itoa(i)) {
			t.Errorf("agent %d was acknowledged and is lost", i)
		}
	}
	t.Logf("%d writes acknowledged, %d found, 5 kills", last+1, len(admitted))
}

// runAndKill kills a writer after n acknowledged writes, in the midst of the
// next ones, and returns the last that it had acknowledged.
func runAndKill(t *testing.T, dir string, n int) int {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), crashDir+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timeout := time.AfterFunc(patience, func() { cmd.Process.Kill() })
	defer timeout.Stop()
	last := -1
	lines := bufio.NewScanner(out)
	for i := 0; lines.Scan(); i++ {
		if last, err = strconv.Atoi(lines.Text()); err != nil {
			t.Fatal(err)
		}
		if i == n {
			cmd.Process.Kill() // what it still printed is read by the loop
		}
	}
	if err := cmd.Wait(); err == nil || last < 0 {
		t.Fatalf("the writer was not killed: %v, last write %d", err, last)
	}
	return last
}
