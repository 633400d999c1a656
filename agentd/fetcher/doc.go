// Package fetcher brings the files that a command names (CommandInfo.uris) into
// the sandbox, before the command starts.
//
// [Fetcher] is the agent's part, which the containerizer calls. It starts this
// binary once more as the subcommand "fetch" ([Main]), as the task's user and in the
// mount namespace of the task: what that user may not read is not fetched, and
// a hostile archive, server or sandbox meets a process without privileges.
// Archives can't write outside of the sandbox whatever their entries are called
// or link to: all of it goes through os.Root.
//
// URIs are absolute paths, file://, http:// and https://, paths relative to
// --frameworks_home, and what the command "hadoop" knows, if the node has it.
//
// A URI with cache set is downloaded into a directory of the agent's and copied
// from there, also by the next who asks. The process downloads there as well, as
// the user that the copy is for; the agent only keeps the books.
package fetcher

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// Name is the subcommand of the agent's binary.
const Name = "fetch"

// Errors that callers tell apart with errors.Is.
var (
	// ErrURI is wrapped by errors about what a framework wrote.
	ErrURI = errors.New("invalid URI")
	// ErrTooLarge is wrapped by the error about a file or archive over the limit.
	ErrTooLarge = errors.New("larger than the limit")
)

// Config are the agent's flags.
type Config struct {
	// Binary is the executable of the processes, as the spawner names it; empty for
	// the spawner's own.
	Binary string
	// FrameworksHome is the directory of relative paths (--frameworks_home).
	FrameworksHome string
	// HadoopHome is the directory of bin/hadoop (--hadoop_home); without it
	// HADOOP_HOME of the environment, or PATH.
	HadoopHome string
	// StallTimeout ends a download that has been silent for so long
	// (--fetcher_stall_timeout).
	StallTimeout time.Duration
	// CacheDir is where files with the cache flag are kept (--fetcher_cache_dir). It
	// is emptied, and has the same name for the task's mount namespace.
	CacheDir string
	// CacheSize bounds it, in bytes (--fetcher_cache_size); 0 for no cache.
	CacheSize int64
	// MaxBytes bounds each file, and what comes out of each archive.
	MaxBytes int64
}

// DefaultConfig has Mesos's defaults. Mesos has no bound: ours is beyond what
// anybody fetches, and short of a disk that a hostile archive can fill.
func DefaultConfig() Config {
	return Config{StallTimeout: time.Minute, MaxBytes: 100 << 30}
}

// Validate tells what is wrong with a configuration.
func (c Config) Validate() error {
	if c.FrameworksHome != "" && !filepath.IsAbs(c.FrameworksHome) {
		return fmt.Errorf("frameworks home %q: want an absolute path", c.FrameworksHome)
	}
	if c.CacheSize < 0 || c.CacheSize > 0 && !filepath.IsAbs(c.CacheDir) {
		return fmt.Errorf("fetcher cache of %d bytes in %q: want an absolute path", c.CacheSize, c.CacheDir)
	}
	if c.StallTimeout <= 0 || c.MaxBytes <= 0 {
		return errors.New("fetcher: stall timeout and size limit must be more than zero")
	}
	return nil
}

// item is a URI to fetch.
type item struct {
	URI        string `json:"uri"`
	OutputFile string `json:"output_file,omitempty"`
	Executable bool   `json:"executable,omitempty"`
	Extract    bool   `json:"extract,omitempty"`
	// CacheFile is the file in the cache to copy, or to download to.
	CacheFile string `json:"cache_file,omitempty"`
}

func itemOf(u *mesos.CommandInfo_URI) item {
	return item{
		URI:        strings.TrimLeft(u.GetValue(), " \t\r\n"),
		OutputFile: u.GetOutputFile(),
		Executable: u.GetExecutable(),
		Extract:    u.GetExtract(),
	}
}

// target is the name of the file in the sandbox, relative to it.
func (i item) target() (string, error) {
	name := i.OutputFile
	if name == "" {
		var err error
		if name, err = basename(i.URI); err != nil {
			return "", err
		}
	}
	name = filepath.Clean(name)
	if !filepath.IsLocal(name) || name == "." {
		return "", fmt.Errorf("%w: file %q is not within the sandbox", ErrURI, name)
	}
	return name, nil
}

// basename is what follows the last slash; a query is part of it, as in Mesos.
func basename(uri string) (string, error) {
	if strings.ContainsAny(uri, "\\'\x00") {
		return "", fmt.Errorf("%w: illegal characters in %q", ErrURI, uri)
	}
	path := uri
	if _, rest, ok := strings.Cut(uri, "://"); ok {
		if _, path, ok = strings.Cut(rest, "/"); !ok || path == "" {
			return "", fmt.Errorf("%w: no path in %q", ErrURI, uri)
		}
	}
	name := path[strings.LastIndexByte(path, '/')+1:]
	if name == "" {
		return "", fmt.Errorf("%w: no file name in %q", ErrURI, uri)
	}
	return name, nil
}

// localPath is the path of a URI that means a file of the node; ok is false for others.
func localPath(uri, home string) (path string, ok bool, err error) {
	path, isFile := strings.CutPrefix(uri, "file://")
	switch {
	case !isFile && strings.Contains(uri, "://"):
		return "", false, nil
	case isFile:
		path = strings.TrimPrefix(path, "localhost")
		if !filepath.IsAbs(path) {
			return "", true, fmt.Errorf("%w: %q: a file URI needs an absolute path", ErrURI, uri)
		}
	case !filepath.IsAbs(path) && home == "":
		return "", true, fmt.Errorf("%w: %q is relative and the agent has no --frameworks_home", ErrURI, uri)
	case !filepath.IsAbs(path):
		path = filepath.Join(home, path)
	}
	return path, true, nil
}
