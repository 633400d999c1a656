package perfevent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// patience is how long perf may take beyond what it is told to count.
const patience = 5 * time.Second

// maxOutput bounds what is read of perf: a line is about 100 bytes.
const maxOutput = 16 << 20

// ErrPerf says that perf isn't there, too old, or doesn't know an event.
var ErrPerf = errors.New("perf is not supported")

// try finds out whether perf can count the events.
func (c Config) try(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	out, err := c.perf(ctx, "--version")
	if err != nil {
		return fmt.Errorf("%w: %w", ErrPerf, err)
	}
	if !recent(out) {
		return fmt.Errorf("%w: version %q; it has to be 2.6.39 or later", ErrPerf, strings.TrimSpace(out))
	}
	args := []string{"stat"}
	for _, event := range c.Events {
		args = append(args, "--event", event)
	}
	if _, err := c.perf(ctx, append(args, "true")...); err != nil {
		return fmt.Errorf("%w: events %s: %w", ErrPerf, strings.Join(c.Events, ","), err)
	}
	return nil
}

// recent says whether "perf version 6.1.187" knows cgroups, as perf does from 2.6.39 on.
// Distributions append much to the first numbers.
func recent(version string) bool {
	want := []int{2, 6, 39}
	numbers := strings.FieldsFunc(strings.TrimPrefix(strings.TrimSpace(version), "perf version "), func(r rune) bool {
		return r < '0' || r > '9'
	})
	for at, least := range want {
		if at >= len(numbers) {
			return false
		}
		n, err := strconv.Atoi(numbers[at])
		if err != nil || n < least {
			return false
		}
		if n > least {
			return true
		}
	}
	return true
}

// sample counts all events in all groups.
func (c Config) sample(ctx context.Context, groups []string) (map[string]*mesos.PerfStatistics, error) {
	args := []string{"stat", "--all-cpus", "--field-separator", ",", "--log-fd", "1"}
	for _, event := range c.Events {
		for _, group := range groups {
			args = append(args, "--event", event, "--cgroup", group)
		}
	}
	args = append(args, "--", "sleep", strconv.FormatFloat(c.Duration.Seconds(), 'f', -1, 64))
	out, err := c.perf(ctx, args...)
	if err != nil {
		return nil, err
	}
	return parse(out)
}

// perf runs the program and returns what it prints.
func (c Config) perf(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, c.Command, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C") // numbers with a point
	// It shares our session, so nobody else waits for it, but not our group: what it
	// has started is killed with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = patience
	stdout, stderr := &bounded{}, &bounded{}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	if err := cmd.Run(); err != nil {
		said, _, _ := strings.Cut(strings.TrimSpace(stderr.String()), "\n")
		return "", fmt.Errorf("running %s %s: %w: %s", c.Command, args[0], err, said)
	}
	return stdout.String(), nil
}

// bounded keeps the beginning of what is written.
type bounded struct{ bytes.Buffer }

func (b *bounded) Write(p []byte) (int, error) {
	b.Buffer.Write(p[:min(len(p), maxOutput-b.Len())])
	return len(p), nil
}
