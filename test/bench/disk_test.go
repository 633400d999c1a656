package bench

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// diskSize is more than any benchmark writes; only what is written takes room.
const diskSize = 8 << 30

// nodeDisks makes the file systems of a node: an ext4 with a journal for the agent's
// work directory, memory for its runtime directory. On the machine's own the figures
// depend on what was there before: ext4 without a journal, which virtual machines may
// have, goes through the inodes that were deleted in the last minutes whenever one is
// made, such as those of the benchmark before.
func nodeDisks(b *testing.B) (workDir, runtimeDir string) {
	b.Helper()
	dir, err := os.MkdirTemp(testbed.RunDir(), "disks-")
	if err != nil {
		b.Fatal(err)
	}
	workDir, runtimeDir = filepath.Join(dir, "work"), filepath.Join(dir, "run")
	image := filepath.Join(dir, "image")
	for _, command := range [][]string{
		{"chmod", "755", dir},
		{"mkdir", workDir, runtimeDir},
		{"mount", "-t", "tmpfs", "-o", "mode=755", "run", runtimeDir},
	} {
		run(b, command)
	}
	b.Cleanup(func() { unmount(b, runtimeDir) })
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		b.Fatal(err)
	}
	if err := os.Truncate(image, diskSize); err != nil {
		b.Fatal(err)
	}
	run(b, []string{"mkfs.ext4", "-q", "-F", image})
	run(b, []string{"mount", "-o", "loop", image, workDir})
	b.Cleanup(func() { unmount(b, workDir) })
	return workDir, runtimeDir
}

func run(b *testing.B, command []string) {
	b.Helper()
	if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
		b.Fatalf("%v: %v: %s", command, err, out)
	}
}

func unmount(b *testing.B, dir string) {
	b.Helper()
	if err := syscall.Unmount(dir, 0); err != nil {
		b.Errorf("unmounting %s: %v", dir, err)
	}
}
