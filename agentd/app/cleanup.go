package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/go-logr/logr"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/cgroups"
	"github.com/mesos-operator/mesos-operator/internal/flags"
	"github.com/mesos-operator/mesos-operator/internal/httpserver"
	"github.com/mesos-operator/mesos-operator/internal/logging"
)

// CleanupName is the subcommand.
const CleanupName = "cleanup"

// CleanupFlags say what to remove. What is empty is left alone.
type CleanupFlags struct {
	// WorkDir and RuntimeDir are removed with everything in and mounted below them.
	WorkDir, RuntimeDir string
	// CgroupsRoot is the agent's cgroup: all processes in it are killed.
	CgroupsRoot, CgroupsHierarchy string
	// Timeout bounds how long to wait for processes to go.
	Timeout time.Duration
	// Wait goes on until a signal comes, and answers /health on Port if that is set.
	Wait bool
	Port uint16
}

// CleanupMain is the process of the subcommand. It returns the exit code.
func CleanupMain(args, environ []string, stdout, stderr io.Writer) int {
	var f CleanupFlags
	set := flags.New("agentd cleanup")
	set.String(&f.WorkDir, "work_dir", "", "Work directory to remove.")
	set.String(&f.RuntimeDir, "runtime_dir", "", "Runtime directory to remove.")
	set.String(&f.CgroupsRoot, "cgroups_root", "", "Cgroup to empty and remove.")
	set.String(&f.CgroupsHierarchy, "cgroups_hierarchy", "/sys/fs/cgroup", "Where cgroups are mounted.")
	set.Duration(&f.Timeout, "timeout", time.Minute, "How long to wait for processes to go.")
	set.Bool(&f.Wait, "wait", false, "Go on until a signal comes.")
	flags.Var(set, &f.Port, "port", 0, flags.PortType, "Port for /health while waiting. Default: none.")
	switch err := set.Parse(args, environ); {
	case errors.Is(err, flags.ErrHelp):
		if err := set.Usage(stdout); err != nil {
			return 1
		}
		return 0
	case err != nil:
		fmt.Fprintln(stderr, "agentd cleanup:", err)
		return 2
	}
	logs, err := logging.New(logging.Config{Program: "agentd-cleanup", Output: stderr})
	if err != nil {
		fmt.Fprintln(stderr, "agentd cleanup:", err)
		return 1
	}
	defer logs.Close()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := Cleanup(ctx, f, logs.Logger); err != nil {
		logs.Logger.Error(err, "clean-up failed")
		return 1
	}
	return 0
}

// Cleanup removes what is named. It can be repeated, and goes on where it was
// interrupted.
func Cleanup(ctx context.Context, f CleanupFlags, log logr.Logger) error {
	for _, dir := range []string{f.WorkDir, f.RuntimeDir} {
		if dir != "" && (!filepath.IsAbs(dir) || filepath.Clean(dir) == "/") {
			return fmt.Errorf("%q is no directory to remove: want an absolute path below /", dir)
		}
	}
	if f.CgroupsRoot != "" {
		if err := removeCgroups(ctx, f, log); err != nil {
			return err
		}
	}
	for _, dir := range []string{f.WorkDir, f.RuntimeDir} {
		if dir == "" {
			continue
		}
		if err := removeTree(dir); err != nil {
			return err
		}
		log.Info("removed", "directory", dir)
	}
	if !f.Wait {
		return nil
	}
	return wait(ctx, f.Port)
}

func removeCgroups(ctx context.Context, f CleanupFlags, log logr.Logger) error {
	if clean := filepath.Clean("/" + f.CgroupsRoot); clean == "/" {
		return fmt.Errorf("cgroup %q is that of the whole machine", f.CgroupsRoot)
	}
	tree, err := cgroups.Detect(cgroups.Config{Hierarchy: f.CgroupsHierarchy})
	if errors.Is(err, cgroups.ErrNoHierarchy) {
		log.Info("no cgroups here")
		return nil
	}
	if err != nil {
		return fmt.Errorf("finding cgroups: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, f.Timeout)
	defer cancel()
	if err := tree.Group(f.CgroupsRoot).Destroy(ctx); err != nil {
		return fmt.Errorf("removing the cgroup %s: %w", f.CgroupsRoot, err)
	}
	log.Info("removed", "cgroup", f.CgroupsRoot)
	return nil
}

// removeTree unmounts what is mounted at and below a directory, and removes it.
func removeTree(dir string) error {
	dir = filepath.Clean(dir)
	mounts, err := mountsBelow(dir)
	if err != nil {
		return err
	}
	for _, m := range mounts {
		// Not lazily: a mount that is merely hidden would be emptied below.
		if err := syscall.Unmount(m, syscall.MNT_FORCE|umountNoFollow); err != nil && !errors.Is(err, syscall.EINVAL) {
			return fmt.Errorf("unmounting %s: %w", m, err)
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("removing %s: %w", dir, err)
	}
	return nil
}

// umountNoFollow is UMOUNT_NOFOLLOW of umount2(2).
const umountNoFollow = 8

// mountsBelow lists mount points at and below a directory, the last mounted first.
func mountsBelow(dir string) ([]string, error) {
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("listing mounts: %w", err)
	}
	var out []string
	for line := range strings.Lines(string(table)) {
		fields := strings.Fields(line)
		if len(fields) < 5 {
			continue
		}
		point := unescape(fields[4])
		if point == dir || strings.HasPrefix(point, dir+"/") {
			out = append([]string{point}, out...)
		}
	}
	return out, nil
}

// unescape reads the octal escapes of mountinfo.
func unescape(s string) string {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if c, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				out.WriteByte(byte(c))
				i += 3
				continue
			}
		}
		out.WriteByte(s[i])
	}
	return out.String()
}

// wait keeps the process until the context ends.
func wait(ctx context.Context, port uint16) error {
	if port == 0 {
		<-ctx.Done()
		return nil
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort("", strconv.Itoa(int(port))))
	if err != nil {
		return err
	}
	router := httpserver.NewRouter("cleanup")
	router.Handle("cleanup", "health", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusOK)
	}))
	return httpserver.New(httpserver.Config{Handler: router}).Serve(ctx, listener)
}
