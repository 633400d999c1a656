package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/spawn"
	"github.com/mesos-operator/mesos-operator/internal/version"
)

// executord is the program of executors, launch stages and switchboards.
const executord = "executord"

// versionTimeout is how long executord may take to tell its build: it is a matter of
// milliseconds.
const versionTimeout = 10 * time.Second

// programs are copies of what containers' processes execute, on the node's disk.
type programs struct {
	executors string // and stages and switchboards
	fetcher   string // the agent's own program
}

// install copies the programs into the work directory.
func (f *Flags) install(ctx context.Context) (p programs, err error) {
	own, err := os.Executable()
	if err != nil {
		return p, fmt.Errorf("finding the agent's program: %w", err)
	}
	found, err := f.findExecutord(filepath.Dir(own))
	if err != nil {
		return p, err
	}
	dir := filepath.Join(f.WorkDir, "bin")
	if p.executors, err = spawn.Install(executord, found, dir); err != nil {
		return p, err
	}
	if err := checkBuild(ctx, p.executors); err != nil {
		return p, fmt.Errorf("%s: %w", found, err)
	}
	p.fetcher, err = spawn.Install("agentd", "/proc/self/exe", dir)
	return p, err
}

// findExecutord looks where it was told to, and beside the agent's program. Command lines
// of Mesos name the directory of Mesos's programs, where executord need not be.
func (f *Flags) findExecutord(beside string) (string, error) {
	dirs := []string{f.LauncherDir, beside}
	for _, dir := range dirs {
		path := filepath.Join(dir, executord)
		switch info, err := os.Stat(path); {
		case err == nil && info.Mode().IsRegular():
			return path, nil
		case err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission):
			return "", fmt.Errorf("looking for %s: %w", executord, err)
		}
	}
	return "", fmt.Errorf("no program %s in %s: it belongs beside agentd, or where --launcher_dir says",
		executord, strings.Join(dirs, " or "))
}

// checkBuild fails unless the program is of the agent's build: what the two say to each
// other is theirs alone and may change with any.
func checkBuild(ctx context.Context, program string) error {
	ctx, cancel := context.WithTimeout(ctx, versionTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, program, "version").Output()
	if err != nil {
		return fmt.Errorf("asking for its version: %w", err)
	}
	if build := strings.TrimSpace(string(out)); build != version.Build() {
		return fmt.Errorf("it is of build %s, and this agent of %s: install both together", build, version.Build())
	}
	return nil
}
