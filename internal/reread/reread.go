// Package reread keeps what daemons know from files as the files are: Kubernetes
// changes mounted Secrets and ConfigMaps in place, and operators rotate secrets
// without a restart.
//
//	watcher := reread.New(reread.Config{Log: log, Reads: reads, Failures: failures})
//	err := watcher.Add("/etc/mesos/credentials", func() error { … read it and put it to use … })
//	go watcher.Run(ctx)
//
// What a file held before stays in use until it can be read again: a file that is being
// written, or is wrong, takes nothing away. The mains of masterd and agentd use it;
// certificates are re-read by package tlsconfig, when connections ask for them.
package reread

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/go-logr/logr"

	"github.com/mesos-operator/mesos-operator/internal/metrics"
)

// Config says how to watch. All fields are optional.
type Config struct {
	// Interval is the pause between two looks at the files. Default 1 s, as for
	// certificates.
	Interval time.Duration
	// Reads and Failures count the changes that were put to use, and those that
	// could not be.
	Reads, Failures metrics.CounterValue
	Log             logr.Logger
}

// Watcher reads files again when they change. Add all files before Run.
type Watcher struct {
	cfg   Config
	files []*file
}

// New returns a watcher of no files.
func New(cfg Config) *Watcher {
	if cfg.Interval == 0 {
		cfg.Interval = time.Second
	}
	if cfg.Log.GetSink() == nil {
		cfg.Log = logr.Discard()
	}
	return &Watcher{cfg: cfg}
}

type file struct {
	path string
	use  func() error
	seen fs.FileInfo // of what was read last, or tried
	gone bool
}

// Add reads a file by calling use, whose error it returns, and has use called again
// whenever the file changes. A file that is replaced, as a link or by renaming, counts as
// changed.
func (w *Watcher) Add(path string, use func() error) error {
	info, err := os.Stat(path) // before it is read: what changes meanwhile is read again
	if err != nil {
		return fmt.Errorf("watching a file: %w", err)
	}
	if err := use(); err != nil {
		return err
	}
	w.files = append(w.files, &file{path: path, use: use, seen: info})
	return nil
}

// Run watches until the context ends.
func (w *Watcher) Run(ctx context.Context) {
	if len(w.files) == 0 {
		return
	}
	ticker := time.NewTicker(w.cfg.Interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			for _, f := range w.files {
				w.look(f)
			}
		}
	}
}

func (w *Watcher) look(f *file) {
	info, err := os.Stat(f.path)
	switch {
	case err != nil:
		if !f.gone { // told once
			w.failed(f, err)
		}
		f.gone = true
		return
	case !f.gone && same(info, f.seen):
		return
	}
	f.gone, f.seen = false, info
	if err := f.use(); err != nil {
		w.failed(f, err)
		return
	}
	w.cfg.Reads.Inc()
	w.cfg.Log.Info("a file changed and was read again", "path", f.path)
}

func (w *Watcher) failed(f *file, err error) {
	w.cfg.Failures.Inc()
	if errors.Is(err, fs.ErrNotExist) {
		err = fs.ErrNotExist // the path is told anyway
	}
	w.cfg.Log.Error(err, "a file changed and can't be used, going on with what it held before", "path", f.path)
}

func same(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}
