package chaos

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// smallDisk mounts a file system of some megabytes.
func smallDisk(t *testing.T, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("chaos", dir, "tmpfs", 0, "size=16m"); err != nil {
		t.Skipf("needs to mount a file system: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}

// fill takes all that is left of a file system.
func fill(t *testing.T, dir string) (name string) {
	t.Helper()
	name = filepath.Join(dir, "ballast")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for chunk := make([]byte, 64<<10); ; {
		if _, err := f.Write(chunk); errors.Is(err, syscall.ENOSPC) {
			if len(chunk) == 1 {
				return name
			}
			chunk = chunk[:max(len(chunk)/2, 1)]
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// TestDiskOfTheLeaderIsFull: it gives up, another leads, and with space again it
// is a follower as before.
func TestDiskOfTheLeaderIsFull(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to mount a file system")
	}
	c := &cluster{t: t}
	var peers, dirs []string
	for i := range 3 {
		peers = append(peers, testbed.NewMaster(t).Address) // for its port only
		dirs = append(dirs, filepath.Join(testbed.RunDir(), t.Name(), string(rune('a'+i))))
		smallDisk(t, dirs[i])
	}
	for i := range 3 {
		m := testbed.NewMaster(t, "--work_dir="+dirs[i], "--raft_address="+peers[i], "--raft_peers="+strings.Join(peers, ","))
		c.masters = append(c.masters, m)
		m.Process.Start()
	}
	c.awaitVoters(3)
	c.write()
	var took figures
	for range rounds(1) {
		c.goesOn()
		old, i := c.leader(), 0
		for c.masters[i] != old {
			i++
		}
		begin := time.Now()
		ballast := fill(t, dirs[i])
		next := c.leader(old)
		took = append(took, time.Since(begin))
		if next == old {
			t.Error("the master without space leads")
		}
		c.goesOn()
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
		follows(t, c, old)
		c.awaitVoters(3)
	}
	took.report(t, "the leader's disk is full (including the time until a write needs space)", 0)
	c.nothingLost()
}
