package spawn

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/mesos-operator/mesos-operator/internal/atomicfile"
)

// prefix of the names of installed binaries.
const prefix = "agentd-"

// Install copies the running binary into dir, under a name that has the hash of
// its contents, and returns its path. Containers' processes execute that copy:
// it is on the node's disk whatever happens to the image that the agent was
// started from. Copies of other versions are removed; processes that execute
// them keep them alive for themselves.
func Install(dir string) (string, error) {
	return install("/proc/self/exe", dir)
}

func install(binary, dir string) (string, error) {
	src, err := os.Open(binary)
	if err != nil {
		return "", fmt.Errorf("installing the agent's binary: %w", err)
	}
	defer src.Close()
	hash := sha256.New()
	size, err := io.Copy(hash, src)
	if err != nil {
		return "", fmt.Errorf("installing the agent's binary: %w", err)
	}
	// 64 bits of the hash tell versions apart; nothing is trusted for its name.
	path := filepath.Join(dir, prefix+hex.EncodeToString(hash.Sum(nil)[:8]))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("installing the agent's binary: %w", err)
	}
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() || info.Size() != size {
		if _, err := src.Seek(0, io.SeekStart); err != nil {
			return "", fmt.Errorf("installing the agent's binary: %w", err)
		}
		if err := atomicfile.WriteFrom(path, src, 0o755); err != nil {
			return "", fmt.Errorf("installing the agent's binary: %w", err)
		}
	}
	return path, removeOthers(dir, filepath.Base(path))
}

func removeOthers(dir, keep string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("removing older binaries: %w", err)
	}
	var errs []error
	for _, e := range entries {
		if name := e.Name(); name != keep && strings.HasPrefix(strings.TrimPrefix(name, "."), prefix) {
			errs = append(errs, os.Remove(filepath.Join(dir, name)))
		}
	}
	return errors.Join(errs...)
}
