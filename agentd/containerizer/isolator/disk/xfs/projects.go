package xfs

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"sync"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/idpool"
)

// projects are who has which project. A project has one directory, or several of one
// container, and is given back when those are gone: files of it may be left until then,
// and links that can't be taken from it.
type projects struct {
	mu   sync.Mutex
	pool *idpool.Pool
	of   map[string]holder // by directory
}

type holder struct {
	project uint32
	on      filesystem
}

func newProjects(text string) (*projects, error) {
	pool, err := idpool.Parse(text, math.MaxUint32)
	if err != nil {
		return nil, fmt.Errorf("XFS projects: %w", err)
	}
	return &projects{pool: pool, of: map[string]holder{}}, nil
}

// find makes the projects known that directories have from earlier.
func (p *projects) find(patterns ...string) error {
	for _, pattern := range patterns {
		dirs, err := filepath.Glob(pattern)
		if err != nil {
			return fmt.Errorf("looking for directories with a project: %w", err)
		}
		for _, dir := range dirs {
			if info, err := os.Lstat(dir); err != nil || !info.IsDir() {
				continue // "latest" is a link
			}
			if err := p.know(dir); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *projects) know(dir string) error {
	id, err := project(dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && id == 0 {
		return nil
	} else if err != nil {
		return fmt.Errorf("looking for directories with a project: %w", err)
	}
	on, err := filesystemOf(dir)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pool.Hold(uint64(id))
	p.of[dir] = holder{id, on}
	return nil
}

// get returns the project of a directory, and gives it one if it has none.
func (p *projects) get(dir string, enforce bool) (holder, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if h, ok := p.of[dir]; ok {
		return h, nil
	}
	on, err := filesystemOf(dir)
	if err != nil {
		return holder{}, err
	}
	if err := on.check(enforce); err != nil {
		return holder{}, err
	}
	id, err := p.pool.Take()
	if err != nil {
		return holder{}, fmt.Errorf("XFS projects: %w", err)
	}
	h := holder{uint32(id), on}
	p.of[dir] = h // even if what follows fails half-way
	return h, assign(dir, h.project)
}

// share makes a directory one of those that another one's project is of.
func (p *projects) share(dir string, h holder) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.of[dir] == h {
		return nil
	}
	on, err := filesystemOf(dir)
	if err != nil {
		return err
	}
	if on != h.on {
		return fmt.Errorf("%w: %s is not on that of %s", ErrUnsupported, dir, h.on.dir)
	}
	p.of[dir] = h
	return assign(dir, h.project)
}

// reclaim gives back the projects whose directories are gone.
func (p *projects) reclaim() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	left := map[holder]bool{}
	for dir, h := range p.of {
		if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
			left[h] = true
		}
	}
	var errs []error
	for dir, h := range p.of {
		if left[h] {
			continue
		}
		if err := h.on.limit(h.project, 0, 0); err != nil {
			errs = append(errs, err)
			continue
		}
		delete(p.of, dir)
		p.pool.Release(uint64(h.project)) // for each directory, which does no harm
	}
	return errors.Join(errs...)
}

func (p *projects) counts() (total, free uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pool.Total(), p.pool.Free()
}
