package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sys/unix"
)

// collector removes directories some time after they were last used, and sooner
// when the disk fills up.
type collector struct {
	delay    time.Duration
	headroom float64
	interval time.Duration
	workDir  string
	log      logr.Logger
	used     func(path string) (float64, error) // diskUsed

	mu      sync.Mutex
	due     map[string]garbage
	busy    string     // being removed
	settled *sync.Cond // busy has changed

	succeeded, failed atomic.Uint64
	maxAge            atomic.Int64 // at the last look at the disk
}

type garbage struct {
	since time.Time
	// within is a directory above it that others than the agent can't replace; empty if
	// that holds for all of them.
	within string
	after  func() // once it is removed; may be nil
}

// remove removes the path of a garbage, and nothing that is mounted there.
func (g garbage) remove(path string) error {
	if g.within == "" {
		if err := g.unmount(path); err != nil {
			return err
		}
		return os.RemoveAll(path)
	}
	root, inside, err := g.open(path)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := g.unmount(path); err != nil {
		return err
	}
	return root.RemoveAll(inside)
}

// open opens what the path is within: no link in there leads out of it.
func (g garbage) open(path string) (root *os.Root, inside string, err error) {
	if inside, err = filepath.Rel(g.within, path); err != nil || !filepath.IsLocal(inside) || inside == "." {
		return nil, "", fmt.Errorf("%s is not in %s", path, g.within)
	}
	root, err = os.OpenRoot(g.within)
	return root, inside, err
}

func newCollector(cfg Config, log logr.Logger) *collector {
	c := &collector{
		delay: cfg.GCDelay, headroom: cfg.GCDiskHeadroom, interval: cfg.DiskWatchInterval,
		workDir: cfg.State.WorkDir, log: log, used: diskUsed, due: map[string]garbage{},
	}
	c.settled = sync.NewCond(&c.mu)
	c.maxAge.Store(int64(c.age(0)))
	return c
}

// collect removes path after the delay, which begins now; for something old it
// began when the path was last touched. after may be nil.
func (c *collector) collect(path string, old bool, after func()) {
	since := time.Now()
	if !old {
		// It is no loss if the path doesn't exist: then nothing is to be removed.
		_ = os.Chtimes(path, since, since)
	} else if info, err := os.Stat(path); err == nil {
		since = info.ModTime()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.due[path] = garbage{since: since, after: after}
}

// collectWithin is collect for a path in a sandbox: tasks own what is there and can make
// links of it, which must not have the agent remove anything else.
func (c *collector) collectWithin(sandbox, path string, old bool) {
	g := garbage{since: time.Now(), within: sandbox}
	if root, inside, err := g.open(path); err == nil {
		if !old {
			_ = root.Chtimes(inside, g.since, g.since)
		} else if info, err := root.Stat(inside); err == nil {
			g.since = info.ModTime()
		}
		root.Close()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.due[path] = g
}

// keep takes back collect. When it returns, the path is not being removed.
func (c *collector) keep(path string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.due, path)
	for c.busy == path {
		c.settled.Wait()
	}
}

// pending is how many paths wait.
func (c *collector) pending() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.due)
}

// run looks at the disk from time to time until the context ends.
func (c *collector) run(ctx context.Context) {
	tick := time.NewTicker(c.interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			used, err := c.used(c.workDir)
			if err != nil {
				c.log.Error(err, "measuring the disk", "path", c.workDir)
			}
			c.maxAge.Store(int64(c.age(used)))
			c.sweep(ctx, time.Now().Add(-c.age(used)))
		}
	}
}

// age is how old garbage may get with so much of the disk in use: the delay on an
// empty disk, nothing once there is less than the headroom.
func (c *collector) age(used float64) time.Duration {
	return time.Duration(float64(c.delay) * max(0, 1-c.headroom-used))
}

// sweep removes what has been garbage since before then, the oldest first.
func (c *collector) sweep(ctx context.Context, then time.Time) {
	for _, path := range c.ripe(then) {
		if ctx.Err() != nil {
			return
		}
		if g, ok := c.take(path, then); ok {
			c.removeOne(path, g)
		}
	}
}

func (c *collector) removeOne(path string, g garbage) {
	if err := g.remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		c.failed.Add(1)
		c.log.Error(err, "removing garbage", "path", path)
	} else {
		c.succeeded.Add(1)
		c.log.V(1).Info("garbage removed", "path", path)
	}
	if g.after != nil {
		g.after()
	}
	c.mu.Lock()
	c.busy = ""
	c.settled.Broadcast()
	c.mu.Unlock()
}

// ripe lists what has been garbage since before then.
func (c *collector) ripe(then time.Time) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []string
	for path, g := range c.due {
		if g.since.Before(then) {
			out = append(out, path)
		}
	}
	slices.SortFunc(out, func(a, b string) int {
		return cmp.Or(c.due[a].since.Compare(c.due[b].since), cmp.Compare(a, b))
	})
	return out
}

// take takes one of them for removal, unless it is none any more.
func (c *collector) take(path string, then time.Time) (garbage, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	g, ok := c.due[path]
	if !ok || !g.since.Before(then) {
		return garbage{}, false
	}
	delete(c.due, path)
	c.busy = path
	return g, true
}

// diskUsed is how full the file system of a path is, from 0 to 1.
func diskUsed(path string) (float64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return 0, &fs.PathError{Op: "statfs", Path: path, Err: err}
	}
	if s.Blocks == 0 {
		return 0, nil
	}
	return float64(s.Blocks-s.Bfree) / float64(s.Blocks), nil
}
