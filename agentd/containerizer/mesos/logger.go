package mesos

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/runtime"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/flags"
)

// Logger says what becomes of containers' stdout and stderr. The zero value writes
// them into two files of the sandbox, which grow as they may.
type Logger struct {
	// Stdout and Stderr bound the files; zero values don't.
	Stdout, Stderr Rotation
	// Prefix begins the names of the variables by which a command changes that for
	// itself: MAX_STDOUT_SIZE, LOGROTATE_STDOUT_OPTIONS, and so for stderr.
	Prefix string
}

// Rotation bounds a file: one that is full becomes name.1, what was that name.2,
// and so on.
type Rotation struct {
	// MaxSize is what a file may have, in bytes, at least a page; 0 for no bound.
	MaxSize flags.Bytes
	// Keep is how many full files are kept.
	Keep int
}

// Set reads a size.
func (r *Rotation) Set(size string) error {
	n, err := flags.ParseBytes(size)
	if err == nil && int(n) < os.Getpagesize() {
		err = fmt.Errorf("size %s of a log file: want at least a page, %d bytes", size, os.Getpagesize())
	}
	if err == nil {
		r.MaxSize = n
	}
	return err
}

// SetOptions reads the options of logrotate that matter here: "rotate 9" keeps as
// many. Others have no effect.
func (r *Rotation) SetOptions(options string) error {
	for line := range strings.FieldsFuncSeq(options, func(c rune) bool { return c == '\n' || c == ';' }) {
		count, ok := strings.CutPrefix(strings.TrimSpace(line), "rotate ")
		if !ok {
			continue
		}
		n, err := strconv.Atoi(strings.TrimSpace(count))
		if err != nil || n < 0 {
			return fmt.Errorf("option %q of a log file: want a number of files", strings.TrimSpace(line))
		}
		r.Keep = n
	}
	return nil
}

// of is the logger for one command.
func (l Logger) of(command *mesos.CommandInfo) (Logger, error) {
	if l.Prefix == "" {
		return l, nil
	}
	for _, v := range command.GetEnvironment().GetVariables() {
		name, ok := strings.CutPrefix(v.GetName(), l.Prefix)
		if !ok {
			continue
		}
		var err error
		switch name {
		case "MAX_STDOUT_SIZE":
			err = l.Stdout.Set(v.GetValue())
		case "MAX_STDERR_SIZE":
			err = l.Stderr.Set(v.GetValue())
		case "LOGROTATE_STDOUT_OPTIONS":
			err = l.Stdout.SetOptions(v.GetValue())
		case "LOGROTATE_STDERR_OPTIONS":
			err = l.Stderr.SetOptions(v.GetValue())
		}
		if err != nil {
			return l, fmt.Errorf("variable %s: %w", v.GetName(), err)
		}
	}
	return l, nil
}

// logs are the streams of a container that the stage bounds.
func (l Logger) logs(cfg containerizer.Config, who specs.User) ([]runtime.Log, error) {
	own, err := l.of(cfg.Command)
	if err != nil {
		return nil, err
	}
	var out []runtime.Log
	for _, s := range []struct {
		fd   int
		name string
		r    Rotation
	}{{1, "stdout", own.Stdout}, {2, "stderr", own.Stderr}} {
		if s.r.MaxSize > 0 {
			out = append(out, runtime.Log{
				FD: s.fd, Dir: cfg.Sandbox, Name: s.name, MaxSize: int64(s.r.MaxSize), Keep: s.r.Keep,
				UID: int(who.UID), GID: int(who.GID),
			})
		}
	}
	return out, nil
}
