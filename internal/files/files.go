// Package files shows files of the daemons to their clients: sandboxes and
// logs, under virtual paths, by the endpoints /files/browse, read, download and
// debug, and by the calls LIST_FILES and READ_FILE.
//
// Only what is attached can be reached. A path below an attached directory is
// opened in a way that can't leave it, whatever symbolic links a task puts into
// its sandbox, and whenever it does so.
//
// The daemons own a Files each and attach to it; it keeps no file open.
package files

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"sync"
)

// Errors of this package, to be tested with errors.Is.
var (
	// ErrNotFound: nothing is attached there, or nothing exists there.
	ErrNotFound = errors.New("file not found")
	// ErrInvalid: what is there can't be used that way, or is out of bounds.
	ErrInvalid = errors.New("invalid file request")
	// ErrForbidden: the authorizer of the path refused.
	ErrForbidden = errors.New("file access forbidden")
)

// scheme may stand before a virtual path.
const scheme = "file://"

// Authorizer decides whether the principal in the context may see a path.
type Authorizer func(ctx context.Context) (bool, error)

// Files is a set of attached files and directories. All methods may be called
// from any goroutine.
type Files struct {
	mu       sync.RWMutex
	attached map[string]attachment // by virtual path
}

type attachment struct {
	path      string // real, without symbolic links
	authorize Authorizer
}

// New returns Files with nothing attached.
func New() *Files { return &Files{attached: map[string]attachment{}} }

// Attach shows the file or directory at path as virtual, in place of what was
// attached there. authorize may be nil; it holds for everything below, too.
func (f *Files) Attach(path, virtual string, authorize Authorizer) error {
	resolved, err := filepath.EvalSymlinks(path)
	if err == nil {
		resolved, err = filepath.Abs(resolved)
	}
	if err != nil {
		return fmt.Errorf("attaching %s: %w", path, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.attached[trim(virtual)] = attachment{resolved, authorize}
	return nil
}

// Detach takes back what is attached at a path, and below it.
func (f *Files) Detach(virtual string) {
	root := trim(virtual)
	below := strings.TrimRight(root, "/") + "/"
	f.mu.Lock()
	defer f.mu.Unlock()
	maps.DeleteFunc(f.attached, func(path string, _ attachment) bool {
		return path == root || strings.HasPrefix(path, below)
	})
}

// Attached returns the real paths by their virtual ones.
func (f *Files) Attached() map[string]string {
	f.mu.RLock()
	defer f.mu.RUnlock()
	all := make(map[string]string, len(f.attached))
	for virtual, a := range maps.All(f.attached) {
		all[virtual] = a.path
	}
	return all
}

// trim returns a virtual path in the form that it is attached as: a path may be
// asked for as a file:// URI, with slashes at its end, and with several in a row.
func trim(virtual string) string {
	virtual = strings.TrimPrefix(virtual, scheme)
	for strings.Contains(virtual, "//") {
		virtual = strings.ReplaceAll(virtual, "//", "/")
	}
	if trimmed := strings.TrimRight(virtual, "/"); trimmed != "" {
		return trimmed
	}
	return "/"
}

// target is where a virtual path leads: below an attached path.
type target struct {
	path string // attached
	rest string // relative to it, "" for itself
}

// find resolves a virtual path by its longest attached prefix, and asks the
// authorizer that is nearest to it.
func (f *Files) find(ctx context.Context, virtual string) (target, error) {
	found, authorize, ok := f.lookup(trim(virtual))
	if authorize != nil {
		allowed, err := authorize(ctx)
		if err != nil {
			return target{}, fmt.Errorf("authorizing: %w", err)
		}
		if !allowed {
			return target{}, ErrForbidden
		}
	}
	if !ok {
		return target{}, ErrNotFound
	}
	return found, nil
}

func (f *Files) lookup(virtual string) (found target, authorize Authorizer, ok bool) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	for prefix := virtual; prefix != ""; prefix = parent(prefix) {
		a, attached := f.attached[prefix]
		if !attached {
			continue
		}
		if !ok {
			found, ok = target{a.path, strings.TrimLeft(virtual[len(prefix):], "/")}, true
		}
		if a.authorize != nil {
			return found, a.authorize, ok
		}
	}
	return found, nil, ok
}

// parent is the path without its last segment, "" at the end.
func parent(path string) string {
	switch i := strings.LastIndexByte(path, '/'); {
	case path == "/" || i < 0:
		return ""
	case i == 0:
		return "/"
	default:
		return strings.TrimRight(path[:i], "/")
	}
}
