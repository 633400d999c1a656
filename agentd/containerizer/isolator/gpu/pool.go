package gpu

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
)

// ErrExhausted says that not enough GPUs are free. Masters don't offer more than
// there are, so it tells of a container that has not ended yet.
var ErrExhausted = errors.New("not enough GPUs are free")

// pool is who has which GPU. What it gives is in a file before anybody has it:
// an agent that starts again must give it to nobody else.
type pool struct {
	dir string

	mu   sync.Mutex
	all  []string
	held map[containerizer.ID][]string
}

func newPool(dir string, all []string) (*pool, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the directory of GPU assignments: %w", err)
	}
	return &pool{dir: dir, all: all, held: map[containerizer.ID][]string{}}, nil
}

// resize makes a container have n GPUs, and tells which those are. Those that it has
// it keeps, as far as it may.
func (p *pool) resize(id containerizer.ID, n int) (now []string, changed bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	have := p.held[id]
	switch {
	case n == len(have):
		return have, false, nil
	case n < len(have):
		now = slices.Clone(have[:n])
	default:
		free := p.free()
		if len(free) < n-len(have) {
			return have, false, fmt.Errorf("%w: %d more are needed, %d are there", ErrExhausted, n-len(have), len(free))
		}
		now = append(slices.Clone(have), free[:n-len(have)]...)
	}
	if err := p.keep(id, now); err != nil {
		return have, false, err
	}
	p.held[id] = now
	return now, true, nil
}

func (p *pool) free() []string {
	taken := map[string]bool{}
	for _, names := range p.held {
		for _, name := range names {
			taken[name] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(p.all), func(name string) bool { return taken[name] })
}

// of are the GPUs of a container.
func (p *pool) of(id containerizer.ID) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.held[id]
}

// recall gives a container what it had in an earlier life of the agent, also if the
// agent has no such GPU any more.
func (p *pool) recall(id containerizer.ID) error {
	data, err := os.ReadFile(p.file(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var names []string
	if err == nil {
		err = json.Unmarshal(data, &names)
	}
	if err != nil {
		return fmt.Errorf("reading which GPUs the container has: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held[id] = names
	return nil
}

// release takes back all that a container has.
func (p *pool) release(id containerizer.ID) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.held, id)
	return p.keep(id, nil)
}

func (p *pool) file(id containerizer.ID) string { return filepath.Join(p.dir, string(id)+".json") }

// keep need not outlive a crash of the machine, which ends all containers.
func (p *pool) keep(id containerizer.ID, names []string) error {
	file := p.file(id)
	if len(names) == 0 {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("forgetting which GPUs the container has: %w", err)
		}
		return nil
	}
	data, err := json.Marshal(names)
	if err != nil {
		return err
	}
	if err := os.WriteFile(file+".new", data, 0o600); err != nil {
		return fmt.Errorf("keeping which GPUs the container has: %w", err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		return fmt.Errorf("keeping which GPUs the container has: %w", err)
	}
	return nil
}
