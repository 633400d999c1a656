package auth

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// maxFile bounds a file of secrets: 16 MiB are more than 100,000 principals.
const maxFile = 16 << 20

// others are the permission bits of those who are neither owner nor group.
const others = 0o007

// SecretFile is the file that a flag of secrets names; false if its value is the
// secret itself.
func SecretFile(value string) (path string, ok bool) {
	if isJSON([]byte(value)) {
		return "", false
	}
	return strings.TrimPrefix(value, "file://"), true
}

// ReadSecret returns what a flag of secrets holds: the file that it names, as a
// path or with file://, or the value itself if that is JSON. warning is not
// empty if others on the machine may touch the file.
func ReadSecret(value string) (text []byte, warning string, err error) {
	if isJSON([]byte(value)) {
		return []byte(value), "", nil
	}
	path, _ := SecretFile(value)
	f, err := os.Open(path)
	if err != nil {
		return nil, "", fmt.Errorf("reading a secret: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, "", fmt.Errorf("reading a secret: %w", err)
	}
	if info.Mode().Perm()&others != 0 {
		warning = fmt.Sprintf("%s is accessible by all users of this machine (mode %04o); it holds secrets",
			path, info.Mode().Perm())
	}
	text, err = io.ReadAll(io.LimitReader(f, maxFile+1))
	switch {
	case err != nil:
		return nil, warning, fmt.Errorf("reading a secret: %w", err)
	case len(text) > maxFile:
		return nil, warning, fmt.Errorf("reading a secret: %s is over %d bytes", path, maxFile)
	case len(text) == 0:
		return nil, warning, fmt.Errorf("reading a secret: %s is empty", path)
	}
	return text, warning, nil
}
