// Package providerconfig keeps the descriptions of resource providers that the
// agent is to start by itself: files with JSON of ResourceProviderInfo in the
// directory of --resource_provider_config_dir, one for each type and name.
//
// It owns that directory while the agent runs. agentd/app opens it, and
// agentd/httpapi changes it for operators. A change is on the disk when a method
// has returned; of a crash before that, it is there as a whole or not at all.
package providerconfig

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sync"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/atomicfile"
	"github.com/mesos-operator/mesos-operator/internal/codec"
)

// Errors of Dir's methods.
var (
	// ErrNoDirectory: the agent was started without the flag.
	ErrNoDirectory = errors.New("Missing required flag --resource_provider_config_dir")
	// ErrInvalid: the description can't be that of a provider that this agent
	// could start.
	ErrInvalid = errors.New("invalid resource provider config")
	// ErrConflict: there is another of that type and name, or none to be updated.
	ErrConflict = errors.New("conflicting resource provider config")
)

// maxConfigs and maxSize bound what a directory may make the agent read.
const (
	maxConfigs = 1000
	maxSize    = 1 << 20
)

// Config says where descriptions are, and which providers the agent can start.
type Config struct {
	// Path is the directory; "" if there is none.
	Path string
	// Types are those of providers that the agent can start, each with a check
	// of what their descriptions must have.
	Types map[string]func(*mesos.ResourceProviderInfo) error
}

// Dir is the directory, for use by several goroutines.
type Dir struct {
	cfg Config

	mu      sync.Mutex
	entries map[key]entry
}

type key struct{ kind, name string }

type entry struct {
	path string
	info *mesos.ResourceProviderInfo
}

// Problem is a file that was skipped, or that describes a provider which the agent
// can't start.
type Problem struct {
	Path string
	Err  error
}

// Open reads the directory. Files that can't be read are skipped and reported.
func Open(cfg Config) (*Dir, []Problem, error) {
	d := &Dir{cfg: cfg, entries: map[key]entry{}}
	if cfg.Path == "" {
		return d, nil, nil
	}
	files, err := os.ReadDir(cfg.Path)
	if err != nil {
		return nil, nil, fmt.Errorf("reading resource provider configs: %w", err)
	}
	var problems []Problem
	for _, file := range files {
		if file.IsDir() || atomicfile.IsTemporary(file.Name()) {
			continue
		}
		path := filepath.Join(cfg.Path, file.Name())
		if err := d.load(path); err != nil {
			problems = append(problems, Problem{Path: path, Err: err})
		}
	}
	return d, problems, nil
}

func (d *Dir) load(path string) error {
	if s, err := os.Stat(path); err != nil || s.Size() > maxSize || len(d.entries) >= maxConfigs {
		return errors.Join(err, fmt.Errorf("%w: too large, or one too many", ErrInvalid))
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("reading a resource provider config: %w", err)
	}
	info := &mesos.ResourceProviderInfo{}
	if err := codec.Unmarshal(codec.JSON, text, info); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	k := keyOf(info)
	switch known, taken := d.entries[k]; {
	case info.Id != nil:
		return fmt.Errorf("%w: 'id' must not be set", ErrInvalid)
	case taken:
		return fmt.Errorf("%w: %s has type '%s' and name '%s' too", ErrConflict, known.path, k.kind, k.name)
	}
	d.entries[k] = entry{path: path, info: info}
	return d.startable(info)
}

func keyOf(info *mesos.ResourceProviderInfo) key { return key{info.GetType(), info.GetName()} }

// startable says whether the agent could start a provider.
func (d *Dir) startable(info *mesos.ResourceProviderInfo) error {
	check, known := d.cfg.Types[info.GetType()]
	if !known {
		return fmt.Errorf("%w: Unknown local resource provider type '%s'", ErrInvalid, info.GetType())
	}
	if !fileName().MatchString(info.GetType()) || !fileName().MatchString(info.GetName()) {
		return fmt.Errorf("%w: type and name must be letters, digits, '.', '-' and '_'", ErrInvalid)
	}
	if err := check(info); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return nil
}

// fileName is what may become part of one.
var fileName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$`) })

// Add adds a description. The same again is no harm; another of that type and
// name is ErrConflict.
func (d *Dir) Add(info *mesos.ResourceProviderInfo) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.writable(info); err != nil {
		return err
	}
	known, taken := d.entries[keyOf(info)]
	switch {
	case taken && proto.Equal(known.info, info):
		return nil
	case taken:
		return fmt.Errorf("%w: Resource provider with type '%s' and name '%s' already exists",
			ErrConflict, info.GetType(), info.GetName())
	case len(d.entries) >= maxConfigs:
		return fmt.Errorf("%w: there are %d already", ErrInvalid, maxConfigs)
	}
	name := info.GetType() + "." + info.GetName() + "." + uuid.NewString() + ".json"
	return d.save(filepath.Join(d.cfg.Path, name), info)
}

// Update replaces a description. ErrConflict says that there is none.
func (d *Dir) Update(info *mesos.ResourceProviderInfo) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.writable(info); err != nil {
		return err
	}
	known, ok := d.entries[keyOf(info)]
	switch {
	case !ok:
		return fmt.Errorf("%w: Resource provider with type '%s' and name '%s' does not exist",
			ErrConflict, info.GetType(), info.GetName())
	case proto.Equal(known.info, info):
		return nil
	}
	return d.save(known.path, info)
}

func (d *Dir) writable(info *mesos.ResourceProviderInfo) error {
	if err := d.startable(info); err != nil {
		return err
	}
	if d.cfg.Path == "" {
		return ErrNoDirectory
	}
	return nil
}

func (d *Dir) save(path string, info *mesos.ResourceProviderInfo) error {
	text, err := codec.Marshal(codec.JSON, info)
	if err == nil {
		err = atomicfile.Write(path, text, 0o600)
	}
	if err != nil {
		return fmt.Errorf("writing a resource provider config: %w", err)
	}
	d.entries[keyOf(info)] = entry{path: path, info: info}
	return nil
}

// Remove removes a description; that there is none is no error.
func (d *Dir) Remove(kind, name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.cfg.Path == "" {
		return ErrNoDirectory
	}
	known, ok := d.entries[key{kind, name}]
	if !ok {
		return nil
	}
	if err := atomicfile.Remove(known.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing a resource provider config: %w", err)
	}
	delete(d.entries, key{kind, name})
	return nil
}
