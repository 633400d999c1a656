package process

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseStat(t *testing.T) {
	tests := map[string]struct {
		in   string
		want Stat
		bad  bool
	}{
		"a name with parentheses and spaces": {
			in: "42 (a) S (b) R 1 2 3 0 -1 4194560 1 2 3 4 11 12 5 6 20 0 1 0 777 1000 33 184",
			want: Stat{PID: 42, State: 'R', Parent: 1, Group: 2, Session: 3, User: 11, System: 12,
				Start: 777, ResidentPages: 33},
		},
		"empty":          {in: "", bad: true},
		"cut":            {in: "42 (a) R 1 2", bad: true},
		"no number":      {in: "42 (a) R x 2 3 0 -1 4194560 1 2 3 4 11 12 5 6 20 0 1 0 777 1000 33 184", bad: true},
		"no parentheses": {in: "42 a R 1", bad: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := parseStat([]byte(test.in))
			if (err != nil) != test.bad {
				t.Fatalf("error %v", err)
			}
			if err == nil {
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			}
		})
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("42 (a) R 1 2 3 0 -1 4194560 1 2 3 4 11 12 5 6 20 0 1 0 777 1000 33 184"))
	f.Add([]byte(")("))
	f.Fuzz(func(_ *testing.T, data []byte) { _, _ = parseStat(data) })
}

func pids(stats []Stat) []int {
	var out []int
	for _, s := range stats {
		out = append(out, s.PID)
	}
	return out
}

func TestTreeAndFamily(t *testing.T) {
	all := Snapshot{
		1:  {PID: 1, State: 'S'},
		10: {PID: 10, Parent: 1, Session: 10, Group: 10, State: 'S'},
		11: {PID: 11, Parent: 10, Session: 10, Group: 10, State: 'S'},
		12: {PID: 12, Parent: 11, Session: 12, Group: 12, State: 'S'},
		13: {PID: 13, Parent: 1, Session: 12, Group: 12, State: 'S'},  // orphan of 12's session
		14: {PID: 14, Parent: 13, Session: 14, Group: 14, State: 'S'}, // its child
		15: {PID: 15, Parent: 10, Session: 10, Group: 10, State: 'Z'},
		20: {PID: 20, Parent: 1, Session: 20, Group: 20, State: 'S'},
	}
	if diff := cmp.Diff([]int{10, 11, 12}, pids(all.Tree(10))); diff != "" {
		t.Errorf("tree (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]int{10, 11, 12, 13, 14}, pids(all.Family(10))); diff != "" {
		t.Errorf("family (-want +got):\n%s", diff)
	}
}

func TestTreeOfProcess(t *testing.T) {
	cmd := start(t, "(sleep 60 & sleep 60; true) & sleep 60; true")
	deadline := time.Now().Add(10 * time.Second)
	var got []Stat
	for len(got) < 5 && time.Now().Before(deadline) {
		var err error
		if got, err = Tree(cmd.Process.Pid); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Millisecond)
	}
	all, err := Take()
	if err != nil {
		t.Fatal(err)
	}
	want, have := pids(all.Tree(cmd.Process.Pid)), pids(got)
	slices.Sort(want)
	slices.Sort(have)
	if diff := cmp.Diff(want, have); diff != "" || got[0].PID != cmd.Process.Pid {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if gone, err := Tree(1 << 30); err != nil || len(gone) > 0 {
		t.Errorf("%v, error %v", gone, err)
	}
}

func start(t *testing.T, script string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", script)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	return cmd
}

func TestWatch(t *testing.T) {
	cmd := start(t, "sleep 0.05; exit 7")
	id, err := Identify(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	if !id.Alive() {
		t.Error("a running process is not alive")
	}
	w, err := Open(id)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()

	short, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if _, err := w.Wait(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waiting for too short: %v", err)
	}
}

func TestWatchEnd(t *testing.T) {
	cmd := start(t, "sleep 0.05; exit 7")
	id, err := Identify(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	w, err := Open(id)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	status, err := w.Wait(context.Background())
	if err != nil || status == nil || status.ExitStatus() != 7 {
		t.Errorf("status %v, error %v", status, err)
	}
	if id.Alive() {
		t.Error("alive after its end")
	}
	if err := w.Signal(syscall.SIGTERM); !errors.Is(err, ErrGone) {
		t.Errorf("signal to the dead: %v", err)
	}
	if _, err := Open(id); !errors.Is(err, ErrGone) {
		t.Errorf("watching the dead: %v", err)
	}
}

// Another process that has the PID by now is not taken for the one that had it.
func TestIdentityOfAnother(t *testing.T) {
	id := Identity{PID: os.Getpid(), Start: 1}
	if id.Alive() {
		t.Error("the start time was not compared")
	}
	if _, err := Open(id); !errors.Is(err, ErrGone) {
		t.Errorf("error %v", err)
	}
}

func TestSignalFamily(t *testing.T) {
	cmd := start(t, "(setsid sleep 60 & sleep 60; true) & sleep 60; true")
	deadline := time.Now().Add(10 * time.Second)
	var family []Stat
	for len(family) < 5 && // two shells, three sleeps
		time.Now().Before(deadline) {
		all, err := Take()
		if err != nil {
			t.Fatal(err)
		}
		family = all.Family(cmd.Process.Pid)
		time.Sleep(5 * time.Millisecond)
	}
	n, err := SignalFamily(cmd.Process.Pid, syscall.SIGKILL, Take)
	if err != nil || n < 5 {
		t.Errorf("%d processes signalled, error %v", n, err)
	}
	_ = cmd.Wait()
	for _, s := range family {
		id := Identity{PID: s.PID, Start: s.Start}
		for id.Alive() && time.Now().Before(deadline) {
			time.Sleep(time.Millisecond)
		}
		if id.Alive() {
			t.Errorf("process %d outlived the signal", s.PID)
		}
	}
}
