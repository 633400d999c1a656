package mesos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	goruntime "runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/go-logr/logr"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/cgroups"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/process"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/provisioner"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/runtime"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/runtime/oci"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/runtime/posix"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/spawn"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/volumegid"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"

	cgcpu "github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/cgroups/cpu"
)

// Fetcher fetches a container's URIs into its sandbox before it starts.
type Fetcher interface {
	Fetch(ctx context.Context, r FetchRequest) error
}

// FetchRequest is what to fetch for one container.
type FetchRequest struct {
	// ID is the container's, for messages.
	ID containerizer.ID
	// URIs are fetched in their order.
	URIs []*mesos.CommandInfo_URI
	// Sandbox is where to.
	Sandbox string
	// Credential is whose permissions count and who owns the files; nil for the agent.
	Credential *syscall.Credential
	// Output gets what there is to tell the task's user.
	Output *os.File
}

// Containerizer implements containerizer.Containerizer.
type Containerizer struct {
	cfg       Config
	log       logr.Logger
	spawner   *spawn.Spawner
	tree      *cgroups.Tree // nil without cgroups
	isolators []isolator.Isolator
	gauged    []isolator.Gauged // those of them with figures
	docker    *dockerSupport    // nil if it runs no containers of type DOCKER
	runtimes  map[string]runtime.Runtime
	fetcher   Fetcher
	// provisioner provides images; nil without --image_providers.
	provisioner *provisioner.Provisioner
	groups      *volumegid.Manager // nil without --volume_gid_range
	// root is a prefix by which the agent reaches the files of the containers'
	// mount namespace.
	root   string
	boot   string
	orphan chan struct{}
	// starts has an entry for each container that is being started.
	starts chan struct{}
	// oomScoreAdj is what containers get unless an isolator says otherwise; nil
	// for the agent's.
	oomScoreAdj *int

	mu         sync.Mutex
	containers map[containerizer.ID]*container

	drains        drains
	destroyErrors atomic.Uint64
}

// How many containers are started at once. To start one takes processor time, most of it
// that of an OCI runtime and of executors; if a thousand tasks come at once and all
// are started together, none is for a minute, in which the executors have to register.
const (
	startsPerCPU = 4
	minStarts    = 8
)

// DestroyErrors counts containers that could not be cleaned up.
func (m *Containerizer) DestroyErrors() uint64 { return m.destroyErrors.Load() }

var _ containerizer.Containerizer = (*Containerizer)(nil)

// New makes the containerizer, which works until ctx ends. fetcher makes the
// Fetcher that starts its processes by the containerizer's spawner.
func New(ctx context.Context, cfg Config, log logr.Logger, fetcher func(*spawn.Spawner) (Fetcher, error)) (*Containerizer, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("containerizer: %w", err)
	}
	m := &Containerizer{
		cfg: cfg, log: log, orphan: make(chan struct{}, 1), containers: map[containerizer.ID]*container{},
		starts: make(chan struct{}, max(minStarts, startsPerCPU*goruntime.NumCPU())),
		drains: drains{closing: make(chan struct{})},
	}
	for _, step := range []func(context.Context) error{m.places, m.processes, m.cgroups, m.volumeGroups, m.isolation, m.images} {
		if err := step(ctx); err != nil {
			return nil, fmt.Errorf("containerizer: %w", err)
		}
	}
	var err error
	if m.fetcher, err = fetcher(m.spawner); err != nil {
		return nil, fmt.Errorf("containerizer: %w", err)
	}
	go m.reapOrphans(ctx)
	return m, nil
}

// places finds and makes directories.
func (m *Containerizer) places(context.Context) error {
	proc, err := spawn.ProcOf(m.cfg.MountNamespace)
	if err != nil {
		return err
	}
	if proc != "" {
		m.root = filepath.Join(proc, "root")
	}
	for _, dir := range []string{m.cfg.WorkDir, m.index(), m.ociState()} {
		mode := os.FileMode(0o700) // specifications have environments with secrets
		if dir == m.cfg.WorkDir {
			mode = 0o755
		}
		if err := os.MkdirAll(dir, mode); err != nil {
			return fmt.Errorf("making directories: %w", err)
		}
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return fmt.Errorf("identifying the boot of the machine: %w", err)
	}
	m.boot = strings.TrimSpace(string(boot))
	m.oomScoreAdj = unprotected()
	if proc == "" {
		return nil
	}
	return errors.Join(m.checkShared(m.cfg.WorkDir), m.checkShared(m.cfg.RuntimeDir))
}

// unprotected is 0 if the agent's own score is below that.
func unprotected() *int {
	data, err := os.ReadFile("/proc/self/oom_score_adj")
	if err != nil {
		return nil
	}
	if score, err := strconv.Atoi(strings.TrimSpace(string(data))); err != nil || score >= 0 {
		return nil
	}
	return new(0)
}

// checkShared makes sure that the agent and its containers mean the same
// directory by one name.
func (m *Containerizer) checkShared(dir string) error {
	ours, err := os.Stat(dir)
	if err != nil {
		return err
	}
	theirs, err := os.Stat(filepath.Join(m.root, dir))
	if err != nil {
		return fmt.Errorf("%s is not in the containers' mount namespace %s: mount it there under the same name: %w",
			dir, m.cfg.MountNamespace, err)
	}
	if !os.SameFile(ours, theirs) {
		return fmt.Errorf("%s is another directory in the containers' mount namespace %s: mount the same one under the same name",
			dir, m.cfg.MountNamespace)
	}
	return nil
}

// index is the directory that lists what was started.
func (m *Containerizer) index() string { return filepath.Join(m.cfg.RuntimeDir, "containers") }

func (m *Containerizer) ociState() string { return filepath.Join(m.cfg.RuntimeDir, "oci") }

// processes prepares to start processes.
func (m *Containerizer) processes(ctx context.Context) error {
	if err := process.Adopt(); err != nil {
		return fmt.Errorf("becoming the parent of orphans: %w", err)
	}
	var err error
	m.spawner, err = spawn.New(ctx, spawn.Config{Binary: m.cfg.Binary, MountNamespace: m.cfg.MountNamespace})
	if err != nil {
		return err
	}
	containers, err := oci.New(oci.Config{Command: m.cfg.OCIRuntime, StateDir: m.ociState(), Root: m.root}, m.spawner)
	if err != nil {
		return err
	}
	m.runtimes = map[string]runtime.Runtime{posix.Name: posix.New(m.spawner), oci.Name: containers}
	return nil
}

// cgroups finds the machine's cgroups, and makes the agent's.
func (m *Containerizer) cgroups(context.Context) error {
	if m.cfg.Launcher != LauncherLinux {
		return nil
	}
	proc, err := spawn.ProcOf(m.cfg.MountNamespace)
	if err != nil {
		return err
	}
	m.tree, err = cgroups.Detect(cgroups.Config{Hierarchy: m.cfg.CgroupsHierarchy, Proc: proc})
	if err != nil {
		return err
	}
	root := m.tree.Group(m.cfg.CgroupsRoot)
	if err := root.Create(); err != nil {
		return err
	}
	if m.cfg.Weight <= 0 || !m.tree.Has("cpu") {
		return nil
	}
	return root.Set(cgcpu.Weight(m.tree, m.cfg.Weight))
}
