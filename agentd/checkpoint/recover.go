package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/mesos-operator/mesos-operator/agentd/paths"
	"github.com/mesos-operator/mesos-operator/agentd/state"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/atomicfile"
)

// Problem is something that recovery had to skip.
type Problem struct {
	// Path is the file or directory.
	Path string
	Err  error
}

// Harmless says that a crash explains it: something was not written yet, or only
// in part, and nobody had acted on it.
func (p Problem) Harmless() bool {
	return errors.Is(p.Err, fs.ErrNotExist) || errors.Is(p.Err, errTorn)
}

// Error implements error.
func (p Problem) Error() string { return p.Path + ": " + p.Err.Error() }

// Unwrap returns the cause.
func (p Problem) Unwrap() error { return p.Err }

// Recover reads everything. It returns an error only where skipping would be
// worse than not starting: for the agent's own identity, for its resources,
// which tell whose volumes are whose, and for its resource providers. If strict,
// it does so for every problem that is not harmless, and leaves the files as they
// are. bootID is that of the running system; empty if unknown.
func (s *Store) Recover(bootID string, strict bool) (*state.Snapshot, []Problem, error) {
	r := &recovery{store: s, strict: strict}
	snapshot := &state.Snapshot{}
	if err := r.resources(snapshot); err != nil {
		return nil, nil, err
	}
	old, err := os.ReadFile(filepath.Join(s.meta, bootFile))
	if err == nil && bootID != "" {
		snapshot.Rebooted = strings.TrimSpace(string(old)) != bootID
	}
	if err := r.agent(snapshot); err != nil {
		return nil, nil, err
	}
	return snapshot, r.problems, r.refusal()
}

// refusal is the error of a strict recovery, with all that is damaged.
func (r *recovery) refusal() error {
	if !r.strict {
		return nil
	}
	var damaged []error
	for _, p := range r.problems {
		if !p.Harmless() {
			damaged = append(damaged, p)
		}
	}
	if len(damaged) == 0 {
		return nil
	}
	return fmt.Errorf("recovering checkpoints (--no-strict skips what is damaged, and what it stands for): %w", errors.Join(damaged...))
}

// SaveBootID notes in which boot the checkpoints are valid. It is called when
// recovery is over.
func (s *Store) SaveBootID(bootID string) error {
	if err := atomicfile.Write(filepath.Join(s.meta, bootFile), []byte(bootID), 0o644); err != nil {
		return fmt.Errorf("checkpointing the boot ID: %w", err)
	}
	return nil
}

type recovery struct {
	store    *Store
	strict   bool
	problems []Problem
}

func (r *recovery) problem(path string, err error) {
	r.problems = append(r.problems, Problem{Path: path, Err: err})
}

func (r *recovery) resources(out *state.Snapshot) error {
	current, operations, err := readResources(r.store.resourcesFile(currentFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("recovering resources: %w", err)
	}
	out.Resources, out.Operations = current, operations
	target, operations, err := readResources(r.store.resourcesFile(targetFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return fmt.Errorf("recovering resources: %w", err)
	default:
		out.Target, out.Operations = target, operations
	}
	return nil
}

func readResources(path string) ([]*mesos.Resource, []*mesos.Operation, error) {
	records, err := readWhole(path)
	if err != nil {
		return nil, nil, err
	}
	resources, operations := []*mesos.Resource{}, []*mesos.Operation(nil)
	for _, rec := range records {
		switch rec.kind {
		case kindResource:
			resources = append(resources, &mesos.Resource{})
			err = decode(rec, kindResource, resources[len(resources)-1])
		case kindOperation:
			operations = append(operations, &mesos.Operation{})
			err = decode(rec, kindOperation, operations[len(operations)-1])
		default:
			err = unexpected(rec)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return resources, operations, nil
}

func (r *recovery) agent(out *state.Snapshot) error {
	s := r.store
	id, err := os.Readlink(filepath.Join(paths.Agents(s.meta), paths.Latest))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("recovering the agent's ID: %w", err)
	}
	if err := paths.CheckID(id); err != nil {
		return fmt.Errorf("recovering the agent's ID: %w", err)
	}
	info := &mesos.AgentInfo{}
	switch err := readOne(s.agentFile(id), kindAgent, info); {
	case errors.Is(err, fs.ErrNotExist): // a crash while it was written: the ID was never used
		r.problem(s.agentFile(id), err)
		return nil
	case err != nil:
		return fmt.Errorf("recovering the agent: %w", err)
	}
	if info.GetId().GetValue() != id {
		return fmt.Errorf("recovering the agent: %w: %s is about agent %q", ErrCorrupt, s.agentFile(id), info.GetId().GetValue())
	}
	out.Agent = info
	if err := r.providers(out, filepath.Join(paths.Agent(s.meta, id), providersFile)); err != nil {
		return err
	}
	drain := &mesos.DrainConfig{}
	path := filepath.Join(paths.Agent(s.meta, id), drainFile)
	switch err := readOne(path, kindDrain, drain); {
	case err == nil:
		out.Drain = drain
	case !errors.Is(err, fs.ErrNotExist):
		r.problem(path, err)
	}
	for _, framework := range r.list(filepath.Join(paths.Agent(s.meta, id), "frameworks")) {
		r.framework(out, id, framework)
	}
	return nil
}

// providers reads which resource providers have an ID. Without that those that
// have one are locked out for good, so what can't be read is an error.
func (r *recovery) providers(out *state.Snapshot, path string) error {
	records, err := readWhole(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, rec := range records {
		info := &mesos.ResourceProviderInfo{}
		switch rec.kind {
		case kindProvider:
			out.Providers = append(out.Providers, info)
		case kindGoneProvider:
			out.GoneProviders = append(out.GoneProviders, info)
		default:
			err = unexpected(rec)
		}
		if err == nil {
			err = decode(rec, rec.kind, info)
		}
		if err != nil {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("recovering resource providers: %w", err)
	}
	return nil
}

// list returns the names of directories.
func (r *recovery) list(dir string) []string {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		r.problem(dir, err)
	}
	var out []string
	for _, e := range entries {
		if e.IsDir() {
			out = append(out, e.Name())
		}
	}
	return out
}

func (r *recovery) framework(out *state.Snapshot, agent, id string) {
	path := filepath.Join(paths.Framework(r.store.meta, agent, id), frameworkFile)
	records, err := readWhole(path)
	f := state.FrameworkSnapshot{Info: &mesos.FrameworkInfo{}}
	switch {
	case err != nil:
	case len(records) != 2 || records[1].kind != kindPID:
		err = fmt.Errorf("%w: %d records", ErrCorrupt, len(records))
	default:
		f.PID = string(records[1].payload)
		err = decode(records[0], kindFramework, f.Info)
	}
	if err == nil && f.Info.GetId().GetValue() != id {
		err = fmt.Errorf("%w: it is about framework %q", ErrCorrupt, f.Info.GetId().GetValue())
	}
	if err != nil {
		r.problem(path, err)
		return
	}
	for _, executor := range r.list(filepath.Join(paths.Framework(r.store.meta, agent, id), "executors")) {
		if e, err := r.executor(agent, id, executor); err != nil {
			r.problem(paths.Executor(r.store.meta, agent, id, executor), err)
		} else {
			f.Executors = append(f.Executors, e)
		}
	}
	out.Frameworks = append(out.Frameworks, f)
}

func (r *recovery) executor(agent, framework, id string) (state.ExecutorSnapshot, error) {
	meta := r.store.meta
	e := state.ExecutorSnapshot{Info: &mesos.ExecutorInfo{}}
	records, err := readWhole(filepath.Join(paths.Executor(meta, agent, framework, id), executorFile))
	if err != nil {
		return e, err
	}
	if len(records) == 0 || len(records) > 2 || len(records) == 2 && records[1].kind != kindGenerated {
		return e, fmt.Errorf("%w: %d records about the executor", ErrCorrupt, len(records))
	}
	if err := decode(records[0], kindExecutor, e.Info); err != nil {
		return e, err
	}
	if e.Info.GetExecutorId().GetValue() != id {
		return e, fmt.Errorf("%w: it is about executor %q", ErrCorrupt, e.Info.GetExecutorId().GetValue())
	}
	e.Generated = len(records) == 2
	if e.Container, err = os.Readlink(filepath.Join(paths.Runs(meta, agent, framework, id), paths.Latest)); err != nil {
		return e, fmt.Errorf("finding the latest run: %w", err)
	}
	if err := paths.CheckID(e.Container); err != nil {
		return e, fmt.Errorf("finding the latest run: %w", err)
	}
	run := state.RunID{AgentID: agent, FrameworkID: framework, ExecutorID: id, Container: e.Container}
	e.Completed = exists(filepath.Join(r.store.run(run), completedFile))
	if records, err := readWhole(filepath.Join(r.store.run(run), pidFile)); err == nil && len(records) == 1 && records[0].kind == kindPID {
		e.PID = string(records[0].payload)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		r.problem(filepath.Join(r.store.run(run), pidFile), err) // it has to come back by itself
	}
	for _, task := range r.list(filepath.Join(r.store.run(run), "tasks")) {
		if t, ok := r.task(run, task); ok {
			e.Tasks = append(e.Tasks, t)
		}
	}
	return e, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
