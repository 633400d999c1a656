package fetcher

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
)

// errNoRoom says that a file does not fit into the cache, whatever is thrown out.
var errNoRoom = errors.New("no room in the cache")

// cache keeps files that were fetched, so that the same URI is downloaded once for
// each user. It forgets what it has when the agent ends.
//
//	<dir>/<user>/c<number>-<name>
//
// A user's files belong to that user, who could have them anyway, and to nobody
// else: what one user puts there, another never gets.
type cache struct {
	dir string
	// size bounds all files together, in bytes.
	size int64

	mu      sync.Mutex
	used    int64
	number  int
	turn    uint64
	entries map[cacheKey]*cacheEntry
}

type cacheKey struct{ user, uri string }

// cacheEntry is one file. Whoever holds it may read the file.
type cacheEntry struct {
	key  cacheKey
	file string
	// ready is closed when the file is there, or err says why not.
	ready chan struct{}
	err   error
	// The rest is guarded by the cache. size is what is reserved for the file.
	size    int64
	holders int
	last    uint64
}

// newCache empties the directory: what it has is of an earlier life.
func newCache(dir string, size int64) (*cache, error) {
	if err := os.RemoveAll(dir); err != nil {
		return nil, fmt.Errorf("emptying the fetcher's cache: %w", err)
	}
	return &cache{dir: dir, size: size, entries: map[cacheKey]*cacheEntry{}}, nil
}

// userDir makes the directory of a user.
func (c *cache) userDir(who *syscall.Credential) (user, dir string, err error) {
	user = "agent"
	if who != nil {
		user = strconv.Itoa(int(who.Uid))
	}
	dir = filepath.Join(c.dir, user)
	if err := os.MkdirAll(c.dir, 0o711); err != nil {
		return "", "", fmt.Errorf("making the fetcher's cache: %w", err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		if errors.Is(err, os.ErrExist) {
			return user, dir, nil
		}
		return "", "", fmt.Errorf("making the fetcher's cache: %w", err)
	}
	if who != nil {
		if err := os.Chown(dir, int(who.Uid), int(who.Gid)); err != nil {
			return "", "", fmt.Errorf("making the fetcher's cache: %w", err)
		}
	}
	return user, dir, nil
}

// hold returns the entry of a URI, and whether the caller has to fill it.
func (c *cache) hold(key cacheKey, dir, name string) (e *cacheEntry, fill bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e = c.entries[key]
	if e == nil {
		c.number++
		e = &cacheEntry{key: key, file: filepath.Join(dir, "c"+strconv.Itoa(c.number)+"-"+name), ready: make(chan struct{})}
		c.entries[key] = e
		fill = true
	}
	c.turn++
	e.holders, e.last = e.holders+1, c.turn
	return e, fill
}

// release ends a hold.
func (c *cache) release(e *cacheEntry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e.holders--
}

// reserve makes room for a file, by removing those that nobody has used for longest.
func (c *cache) reserve(e *cacheEntry, size int64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.used+size > c.size {
		var oldest *cacheEntry
		for _, o := range c.entries {
			if o.holders == 0 && (oldest == nil || o.last < oldest.last) {
				oldest = o
			}
		}
		if oldest == nil {
			return fmt.Errorf("%w: %d bytes, with %d of %d in use", errNoRoom, size, c.used, c.size)
		}
		c.remove(oldest)
	}
	e.size = size
	c.used += size
	return nil
}

// remove forgets an entry and its file.
func (c *cache) remove(e *cacheEntry) {
	delete(c.entries, e.key)
	c.used -= e.size
	e.size = 0
	_ = os.Remove(e.file) // it may not exist
}

// intact says whether the file of an entry is there as it was filled. One that somebody
// deleted or changed is forgotten.
func (c *cache) intact(e *cacheEntry) bool {
	info, err := os.Stat(e.file)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil && info.Size() == e.size {
		return true
	}
	if c.entries[e.key] == e {
		c.remove(e)
	}
	return false
}

// filled tells who waits that the file is there, or why it never will be.
func (c *cache) filled(e *cacheEntry, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.err = err; err != nil {
		c.remove(e)
	} else if info, err := os.Stat(e.file); err == nil && info.Size() < e.size {
		c.used -= e.size - info.Size() // it turned out to be smaller than was told
		e.size = info.Size()
	}
	close(e.ready)
}

// wait returns when the file is there.
func (e *cacheEntry) wait(ctx context.Context) error {
	select {
	case <-e.ready:
		return e.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// usage is how many bytes are taken.
func (c *cache) usage() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.used
}
