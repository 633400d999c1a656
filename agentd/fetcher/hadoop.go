package fetcher

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// hadoop leaves a URI to the command that may know its scheme.
func (w *work) hadoop(ctx context.Context, uri, name string) error {
	if err := w.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("replacing %s: %w", name, err)
	}
	_, err := w.hadoopClient(ctx, "-copyToLocal", uri, filepath.Join(w.root.Name(), name))
	return err
}

// hadoopSize asks the command how large a file is. It may say other things as well: the
// line that counts ends with what was asked for, and begins with a number.
func (w *work) hadoopSize(ctx context.Context, uri string) (int64, error) {
	out, err := w.hadoopClient(ctx, "-du", uri)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if n := len(fields); n < 2 || n > 3 || fields[n-1] != uri {
			continue
		}
		if size, err := strconv.ParseInt(fields[0], 10, 64); err == nil {
			return size, nil
		}
	}
	return 0, errors.New("the hadoop client tells no size of it")
}

// hadoopClient runs the command and returns what it printed.
func (w *work) hadoopClient(ctx context.Context, args ...string) ([]byte, error) {
	command := "hadoop"
	if home := os.Getenv("HADOOP_HOME"); home != "" {
		command = filepath.Join(home, "bin", "hadoop")
	}
	path, err := exec.LookPath(command)
	if err != nil {
		return nil, fmt.Errorf("%w: no http, https or file, and this agent has no hadoop client", ErrURI)
	}
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, path, append([]string{"fs"}, args...)...)
	cmd.Stdout, cmd.Stderr = &out, w.log
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("the hadoop client failed: %w", err)
	}
	return out.Bytes(), nil
}
