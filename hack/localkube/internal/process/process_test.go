package process

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	tail := " S 1 2 2 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 987654 1 1"
	tests := map[string]struct {
		in      string
		state   string
		started uint64
		wantErr bool
	}{
		"plain":                 {"12 (sleep)" + tail, "S", 987654, false},
		"blank in the name":     {"12 (tmux: server)" + tail, "S", 987654, false},
		"parenthesis in name":   {"12 (a) R (b)" + tail, "S", 987654, false},
		"cut short":             {"12 (sleep) S 1 2", "", 0, true},
		"no name":               {"12 S 1 2", "", 0, true},
		"start is not a number": {"12 (x) S 1 2 2 0 -1 4 1 0 0 0 0 0 0 0 20 0 1 0 x 1", "", 0, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			state, started, err := parseStat(tt.in)
			if (err != nil) != tt.wantErr {
				t.Fatalf("err = %v, want an error: %v", err, tt.wantErr)
			}
			if err == nil && (state != tt.state || started != tt.started) {
				t.Errorf("parseStat() = %s, %d; want %s, %d", state, started, tt.state, tt.started)
			}
		})
	}
}

// sleeper starts a process that is reaped as soon as it ends.
func sleeper(t *testing.T) Record {
	t.Helper()
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { _ = cmd.Wait(); close(done) }()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-done })
	r, err := Lookup(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestStopEndsTheProcessAndForgetsIt(t *testing.T) {
	table := Table{Dir: filepath.Join(t.TempDir(), "pids")}
	r := sleeper(t)
	if err := table.Put("sleeper", r); err != nil {
		t.Fatal(err)
	}
	if !table.Alive("sleeper") {
		t.Fatal("a recorded, running process is not alive")
	}
	if err := table.Stop("sleeper", syscall.SIGTERM, 5*time.Second); err != nil {
		t.Fatal(err)
	}
	if r.Alive() {
		t.Error("alive after Stop")
	}
	if _, err := table.Get("sleeper"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Get() after Stop = %v, want fs.ErrNotExist", err)
	}
	if err := table.Stop("sleeper", syscall.SIGTERM, time.Second); err != nil {
		t.Errorf("second Stop: %v", err)
	}
}

func TestAStrangerWithOurPidIsSpared(t *testing.T) {
	stranger := sleeper(t)
	ours := Record{PID: stranger.PID, Started: stranger.Started - 1}
	if ours.Alive() {
		t.Error("a reused pid counts as alive")
	}
	if err := ours.Stop(syscall.SIGKILL, time.Second); err != nil {
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond)
	if !stranger.Alive() {
		t.Error("the stranger was killed")
	}
}

func TestAZombieHasEnded(t *testing.T) {
	cmd := exec.Command("true")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if _, err := Lookup(cmd.Process.Pid); errors.Is(err, fs.ErrNotExist) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("an ended, unreaped process still counts as live")
		}
	}
}

func TestNamesSkipsUnfinishedRecords(t *testing.T) {
	table := Table{Dir: t.TempDir()}
	if err := table.Put("etcd", Record{1, 2}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(table.Dir, ".half"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if names, err := table.Names(); err != nil || len(names) != 1 || names[0] != "etcd" {
		t.Errorf("Names() = %v, %v; want [etcd]", names, err)
	}
}
