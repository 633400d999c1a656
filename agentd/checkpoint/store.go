package checkpoint

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"

	"github.com/mesos-operator/mesos-operator/agentd/paths"
	"github.com/mesos-operator/mesos-operator/agentd/state"
	"github.com/mesos-operator/mesos-operator/internal/atomicfile"
)

// ErrInUse says that another agent uses the work directory.
var ErrInUse = errors.New("work directory is used by another agent")

// Store is the checkpoints of one agent. Its methods must not be called at the
// same time.
type Store struct {
	workDir, meta string
	lock          *os.File
}

// Open makes the directories that are missing, and keeps other agents out until
// Close.
func Open(workDir string) (*Store, error) {
	s := &Store{workDir: workDir, meta: paths.Meta(workDir)}
	if err := atomicfile.MkdirAll(s.meta, 0o755); err != nil {
		return nil, fmt.Errorf("opening checkpoints: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(s.meta, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening checkpoints: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("%w: %s", ErrInUse, workDir)
		}
		return nil, fmt.Errorf("locking %s: %w", f.Name(), err)
	}
	s.lock = f
	return s, nil
}

// Close lets others use the work directory.
func (s *Store) Close() error { return s.lock.Close() }

// Apply makes records durable, in their order. After an error it is unknown
// which of them are; the agent must not go on.
func (s *Store) Apply(records []state.Record) error {
	b := newBatch()
	for _, r := range records {
		if v, ok := r.(state.VolumesRecord); ok {
			if err := b.commit(); err != nil {
				return err
			}
			if err := s.applyVolumes(v); err != nil {
				return err
			}
			b = newBatch()
			continue
		}
		if err := s.stage(b, r); err != nil {
			return err
		}
	}
	return b.commit()
}

// stage adds a record to a batch.
func (s *Store) stage(b *batch, r state.Record) error {
	switch r := r.(type) {
	case state.AgentRecord:
		id := r.Info.GetId().GetValue()
		b.link(filepath.Join(paths.Agents(s.meta), paths.Latest), id)
		return whole(b, s.agentFile(id), item{kindAgent, r.Info})
	case state.ForgetAgentRecord:
		b.remove(filepath.Join(paths.Agents(s.meta), paths.Latest))
	case state.FrameworkRecord:
		return whole(b, filepath.Join(paths.Framework(s.meta, r.AgentID, r.Info.GetId().GetValue()), frameworkFile),
			item{kindFramework, r.Info}, item{kindPID, r.PID})
	case state.ExecutorRecord:
		return s.stageExecutor(b, r)
	case state.ExecutorPIDRecord:
		return whole(b, filepath.Join(s.run(r.Run), pidFile), item{kindPID, r.PID})
	case state.CompletedRecord:
		b.write(filepath.Join(s.run(r.Run), completedFile), nil)
	case state.TaskRecord:
		return s.stageTask(b, r)
	case state.UpdateRecord:
		data, err := frames(item{kindUpdate, r.Update})
		b.add(filepath.Join(s.task(r.Run, r.TaskID), updatesFile), data)
		return err
	case state.AcknowledgementRecord:
		data, err := frames(item{kindAcknowledgement, string(r.UUID)})
		b.add(filepath.Join(s.task(r.Run, r.TaskID), updatesFile), data)
		return err
	case state.ResourcesRecord:
		return s.stageResources(b, r)
	case state.ProvidersRecord:
		return s.stageProviders(b, r)
	case state.DrainRecord:
		path := filepath.Join(paths.Agent(s.meta, r.AgentID), drainFile)
		if r.Config != nil {
			return whole(b, path, item{kindDrain, r.Config})
		}
		b.remove(path)
	default:
		return fmt.Errorf("checkpointing: unknown record %T", r)
	}
	return nil
}

func (s *Store) stageExecutor(b *batch, r state.ExecutorRecord) error {
	id := r.Info.GetExecutorId().GetValue()
	b.link(filepath.Join(paths.Runs(s.meta, r.AgentID, r.FrameworkID, id), paths.Latest), r.Container)
	if err := b.mkdir(paths.Run(s.meta, r.AgentID, r.FrameworkID, id, r.Container)); err != nil {
		return err
	}
	items := []item{{kindExecutor, r.Info}}
	if r.Generated {
		items = append(items, item{kindGenerated, ""})
	}
	return whole(b, filepath.Join(paths.Executor(s.meta, r.AgentID, r.FrameworkID, id), executorFile), items...)
}

// stageTask also ends the stream of an earlier task of the same ID: a task among
// its records begins a new one.
func (s *Store) stageTask(b *batch, r state.TaskRecord) error {
	dir := s.task(r.Run, r.Task.GetTaskId().GetValue())
	if stream := filepath.Join(dir, updatesFile); b.appends[stream] != nil || exists(stream) {
		data, err := frames(item{kindTask, r.Task})
		if err != nil {
			return err
		}
		b.add(stream, data)
	}
	return whole(b, filepath.Join(dir, taskFile), item{kindTask, r.Task})
}

func (s *Store) stageResources(b *batch, r state.ResourcesRecord) error {
	var items []item
	for _, res := range r.Resources {
		items = append(items, item{kindResource, res})
	}
	for _, o := range r.Operations {
		items = append(items, item{kindOperation, o})
	}
	if r.Target {
		return whole(b, s.resourcesFile(targetFile), items...)
	}
	b.remove(s.resourcesFile(targetFile))
	return whole(b, s.resourcesFile(currentFile), items...)
}

func (s *Store) stageProviders(b *batch, r state.ProvidersRecord) error {
	var items []item
	for _, p := range r.Known {
		items = append(items, item{kindProvider, p})
	}
	for _, p := range r.Gone {
		items = append(items, item{kindGoneProvider, p})
	}
	return whole(b, filepath.Join(paths.Agent(s.meta, r.AgentID), providersFile), items...)
}

// The names of files in the schema.
const (
	agentFile     = "agent.info"
	drainFile     = "drain.config"
	providersFile = "resource_provider_registry"
	frameworkFile = "framework.info"
	executorFile  = "executor.info"
	completedFile = "completed"
	pidFile       = "libprocess.pid"
	taskFile      = "task.info"
	updatesFile   = "task.updates"
	currentFile   = "current"
	targetFile    = "target"
	bootFile      = "boot_id"
)

func (s *Store) agentFile(id string) string { return filepath.Join(paths.Agent(s.meta, id), agentFile) }

func (s *Store) resourcesFile(name string) string { return filepath.Join(s.meta, "resources", name) }

func (s *Store) run(r state.RunID) string {
	return paths.Run(s.meta, r.AgentID, r.FrameworkID, r.ExecutorID, r.Container)
}

func (s *Store) task(r state.RunID, task string) string {
	return paths.Task(s.meta, r.AgentID, r.FrameworkID, r.ExecutorID, r.Container, task)
}

// item is one record to be written: a message, or a string as it is.
type item struct {
	kind kind
	body any
}

// whole stages a file that is replaced.
func whole(b *batch, path string, items ...item) error {
	data, err := frames(append(items, item{kindEnd, ""})...)
	if err != nil {
		return err
	}
	b.write(path, append(header[:len(header):len(header)], data...))
	return nil
}

func frames(items ...item) ([]byte, error) {
	var out []byte
	for _, i := range items {
		switch body := i.body.(type) {
		case string:
			out = appendFrame(out, i.kind, []byte(body))
		case proto.Message:
			payload, err := proto.Marshal(body)
			if err != nil {
				return nil, fmt.Errorf("checkpointing: encoding %s: %w", body.ProtoReflect().Descriptor().FullName(), err)
			}
			out = appendFrame(out, i.kind, payload)
		}
	}
	return out, nil
}
