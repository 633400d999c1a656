package reread

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/mesos-operator/mesos-operator/internal/metrics"
)

// kept is a file's text, unless that is "bad".
type kept struct {
	path, text string
	reads      int
}

func (k *kept) use() error {
	k.reads++
	text, err := os.ReadFile(k.path)
	if err != nil {
		return err
	}
	if string(text) == "bad" {
		return errors.New("bad")
	}
	k.text = string(text)
	return nil
}

func TestWatcher(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	registry := metrics.NewRegistry()
	w := New(Config{Reads: registry.Counter("reads"), Failures: registry.Counter("failures")})
	write("a", "one")
	k := &kept{path: filepath.Join(dir, "a")}
	if err := w.Add(k.path, k.use); err != nil || k.text != "one" {
		t.Fatal(err, k.text)
	}
	expect := func(when, text string, reads, good, failures int) {
		t.Helper()
		w.look(w.files[0])
		w.look(w.files[0])
		if k.text != text || k.reads != reads || int(w.cfg.Reads.Value()) != good || int(w.cfg.Failures.Value()) != failures {
			t.Errorf("%s: %q, %d reads, %v good, %v bad", when, k.text, k.reads, w.cfg.Reads.Value(), w.cfg.Failures.Value())
		}
	}
	expect("unchanged", "one", 1, 0, 0)
	write("a", "other")
	expect("changed", "other", 2, 1, 0)
	write("a", "bad")
	expect("wrong", "other", 3, 1, 1)
	write("a", "again")
	expect("right again", "again", 4, 2, 1)
	if err := os.Remove(k.path); err != nil {
		t.Fatal(err)
	}
	expect("gone", "again", 4, 2, 2)
	write("a", "again")
	expect("back", "again", 5, 3, 2)
	// As Kubernetes does it: links change at once, whatever the times and sizes of what they lead to.
	write("x", "first")
	write("y", "other")
	moment := time.Now()
	for _, name := range []string{"x", "y"} {
		if err := os.Chtimes(filepath.Join(dir, name), moment, moment); err != nil {
			t.Fatal(err)
		}
	}
	link := func(target string) {
		t.Helper()
		if err := errors.Join(os.Symlink(target, filepath.Join(dir, "new")), os.Rename(filepath.Join(dir, "new"), k.path)); err != nil {
			t.Fatal(err)
		}
	}
	link("x")
	expect("a link", "first", 6, 4, 2)
	link("y")
	expect("another link", "other", 7, 5, 2)
}

func TestAdd(t *testing.T) {
	w := New(Config{})
	path := filepath.Join(t.TempDir(), "none")
	if err := w.Add(path, func() error { return nil }); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that isn't there: %v", err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	bad := errors.New("bad")
	if err := w.Add(path, func() error { return bad }); !errors.Is(err, bad) || len(w.files) != 0 {
		t.Errorf("a file that is wrong: %v", err)
	}
}

func TestRun(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	if err := os.WriteFile(path, []byte("one"), 0o600); err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{}, 2)
	w := New(Config{Interval: time.Millisecond})
	if err := w.Add(path, func() error { read <- struct{}{}; return nil }); err != nil {
		t.Fatal(err)
	}
	<-read
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { w.Run(ctx); close(ended) }()
	if err := os.WriteFile(path, []byte("other"), 0o600); err != nil {
		t.Fatal(err)
	}
	<-read
	cancel()
	<-ended
	New(Config{}).Run(t.Context()) // without files there is nothing to wait for
}
