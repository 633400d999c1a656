package engine

import (
	"context"
	"errors"
	"time"

	"github.com/go-logr/logr"

	"github.com/mesos-operator/mesos-operator/agentd/checkpoint"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/secrets"
	"github.com/mesos-operator/mesos-operator/agentd/state"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/acl"
	"github.com/mesos-operator/mesos-operator/internal/files"
	"github.com/mesos-operator/mesos-operator/internal/libprocess"
	"github.com/mesos-operator/mesos-operator/internal/metrics"
)

// Detector finds the leading master.
type Detector interface {
	// Detect returns the leader's libprocess PID. It waits until there is one,
	// and fails only with its context.
	Detect(ctx context.Context) (string, error)
	// Superseded waits until another master than the one of a PID leads, as far
	// as anybody tells, or its context ends, whose error it returns.
	Superseded(ctx context.Context, pid string) error
}

// Store is where checkpoints go: a checkpoint.Store.
type Store interface {
	Apply([]state.Record) error
	Recover(bootID string, strict bool) (*state.Snapshot, []checkpoint.Problem, error)
	SaveBootID(bootID string) error
}

// Config is what an Engine works with.
type Config struct {
	// State is passed on to the machine, with its PID set. Random may be nil.
	State state.Config
	// Node is the agent's address. The engine spawns ProcessID on it.
	Node      *libprocess.Node
	ProcessID string

	Store         Store
	Containerizer containerizer.Containerizer
	Detector      Detector
	// Files gets the sandboxes. Metrics gets what Mesos counts of an agent.
	Files   *files.Files
	Metrics *metrics.Registry
	// Strict is --strict: damaged checkpoints keep the agent from starting. Else
	// they are skipped.
	Strict bool
	// BootID is that of the running system; "" if unknown.
	BootID string

	// Authorizer says who may read sandboxes, and as whom frameworks may run tasks;
	// nil allows everybody everything.
	Authorizer *acl.Authorizer
	// Authentication says as whom the agent goes to its master.
	Authentication Authentication
	// Environment holds what executors are told; see there.
	Environment Environment

	// Oversubscription says what to lend and what to take back.
	Oversubscription Oversubscription

	GCDelay time.Duration // --gc_delay
	// KeptImages are those that no call prunes (excluded_images of --image_gc_config).
	KeptImages        []*mesos.Image
	GCDiskHeadroom    float64       // --gc_disk_headroom
	DiskWatchInterval time.Duration // --disk_watch_interval
	// DetectionPause is the least time between two detections.
	DetectionPause time.Duration

	Log logr.Logger
}

// Defaults: those of Mesos's flags, but for the pause, which keeps an agent from
// asking without rest for a master that answers and hangs up.
const (
	defaultGCDelay           = 7 * 24 * time.Hour
	defaultDiskWatchInterval = time.Minute
	defaultDetectionPause    = time.Second
)

func (c Config) withDefaults() Config {
	setDefault(&c.GCDelay, defaultGCDelay)
	setDefault(&c.DiskWatchInterval, defaultDiskWatchInterval)
	setDefault(&c.DetectionPause, defaultDetectionPause)
	setDefault(&c.ProcessID, "slave(1)")
	if c.Files == nil {
		c.Files = files.New()
	}
	if c.Metrics == nil {
		c.Metrics = metrics.NewRegistry()
	}
	if c.State.Random == nil {
		c.State.Random = random{}
	}
	c.Oversubscription = c.Oversubscription.withDefaults()
	if c.Environment.Secrets == nil {
		c.Environment.Secrets = secrets.Values
	}
	if c.Log.GetSink() == nil {
		c.Log = logr.Discard()
	}
	return c
}

func setDefault[T comparable](field *T, value T) {
	if *field == *new(T) {
		*field = value
	}
}

// Validate reports what is missing.
func (c Config) Validate() error {
	var errs []error
	for name, missing := range map[string]bool{
		"libprocess node": c.Node == nil, "store": c.Store == nil,
		"containerizer": c.Containerizer == nil, "detector": c.Detector == nil,
	} {
		if missing {
			errs = append(errs, errors.New("no "+name))
		}
	}
	if c.GCDiskHeadroom < 0 || c.GCDiskHeadroom > 1 {
		errs = append(errs, errors.New("disk headroom is not between 0 and 1"))
	}
	return errors.Join(errs...)
}
