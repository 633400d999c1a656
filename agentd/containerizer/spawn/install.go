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

// hashLen is the length of the hash in an installed program's name. 64 bits tell
// versions apart; nothing is trusted for its name.
const hashLen = 16

// Install copies the program of that name from path into dir, under its name and
// the hash of its contents, and returns the copy's path. Containers' processes
// execute that copy: it is on the node's disk whatever happens to the image that
// the agent was started from. Copies of other versions are removed; processes
// that execute them keep them alive for themselves.
func Install(name, path, dir string) (string, error) {
	installed, err := install(name, path, dir)
	if err != nil {
		return "", fmt.Errorf("installing %s: %w", name, err)
	}
	return installed, nil
}

func install(name, path, dir string) (string, error) {
	src, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer src.Close()
	hash := sha256.New()
	size, err := io.Copy(hash, src)
	if err != nil {
		return "", err
	}
	target := filepath.Join(dir, name+"-"+hex.EncodeToString(hash.Sum(nil))[:hashLen])
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	if info, err := os.Lstat(target); err != nil || !info.Mode().IsRegular() || info.Size() != size {
		if _, err := src.Seek(0, io.SeekStart); err != nil {
			return "", err
		}
		if err := atomicfile.WriteFrom(target, src, 0o755); err != nil {
			return "", err
		}
	}
	return target, removeOthers(name, dir, filepath.Base(target))
}

func removeOthers(name, dir, keep string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		// What was not written whole begins with a point.
		hash, ours := strings.CutPrefix(strings.TrimPrefix(e.Name(), "."), name+"-")
		if ours && len(hash) >= hashLen && e.Name() != keep {
			errs = append(errs, os.Remove(filepath.Join(dir, e.Name())))
		}
	}
	return errors.Join(errs...)
}
