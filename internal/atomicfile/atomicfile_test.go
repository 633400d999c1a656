package atomicfile

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
)

// contents returns the names of a directory's files.
func contents(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "state")
	for _, text := range []string{"first", "", strings.Repeat("third", 100_000)} {
		if err := Write(path, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != text {
			t.Fatalf("got %d bytes, %v", len(got), err)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o640 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if got := contents(t, dir); len(got) != 1 {
		t.Errorf("left over: %q", got)
	}
}

func TestWriteInWorkingDirectory(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := Write("state", []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Remove("state"); err != nil {
		t.Fatal(err)
	}
}

func TestFailedWriteKeepsTheOldFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "state")
	if err := Write(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	broken := io.MultiReader(strings.NewReader("new"), iotest.ErrReader(errors.New("no more")))
	if err := WriteFrom(path, broken, 0o600); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v", err)
	}
	if got, _ := os.ReadFile(path); string(got) != "old" {
		t.Errorf("got %q", got)
	}
	if err := Write(dir, nil, 0o600); err == nil {
		t.Error("a directory was replaced")
	}
	if got := contents(t, dir); len(got) != 1 {
		t.Errorf("left over: %q", got)
	}
	if err := Write(filepath.Join(dir, "missing", "state"), nil, 0o600); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// A reader never sees a half-written file.
func TestReadersSeeWholeFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	texts := []string{strings.Repeat("a", 50_000), strings.Repeat("b", 10)}
	if err := Write(path, []byte(texts[0]), 0o600); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for _, text := range texts {
		wg.Go(func() {
			for range 30 {
				if err := Write(path, []byte(text), 0o600); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 300 {
		if got, err := os.ReadFile(path); err != nil || (string(got) != texts[0] && string(got) != texts[1]) {
			t.Errorf("got %d bytes, %v", len(got), err)
		}
	}
	wg.Wait()
}

func TestRemove(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	if err := Write(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if err := Remove(filepath.Join(path, "x")); err == nil {
		t.Error("removed from a directory that doesn't exist")
	}
}

func TestSymlink(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "latest")
	if err := os.Symlink("rubbish", filepath.Join(dir, ".latest"+temporary+"link")); err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{"runs/1", "runs/2"} {
		if err := Symlink(target, path); err != nil {
			t.Fatal(err)
		}
		if got, err := os.Readlink(path); err != nil || got != target {
			t.Errorf("got %s, %v", got, err)
		}
	}
	if got := contents(t, dir); len(got) != 1 {
		t.Errorf("left over: %q", got)
	}
}

func TestMkdirAll(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a/b/c")
	for range 2 {
		if err := MkdirAll(path, 0o750); err != nil {
			t.Fatal(err)
		}
	}
	if info, err := os.Stat(filepath.Join(dir, "a/b")); err != nil || info.Mode().Perm() != 0o750 {
		t.Errorf("got %v, %v", info, err)
	}
	file := filepath.Join(dir, "file")
	if err := Write(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := MkdirAll(file, 0o750); err == nil {
		t.Error("a file passed for a directory")
	}
	if err := MkdirAll(filepath.Join(file, "x"), 0o750); err == nil {
		t.Error("a file passed for a parent")
	}
}

func TestIsTemporary(t *testing.T) {
	for name, want := range map[string]bool{".state.atomic-123": true, "state": false, "x.atomic-1": false, ".hidden": false} {
		if IsTemporary(name) != want {
			t.Errorf("%s: got %v", name, !want)
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	path := filepath.Join(b.TempDir(), "state")
	data := make([]byte, 1000)
	for b.Loop() {
		if err := Write(path, data, 0o600); err != nil {
			b.Fatal(err)
		}
	}
}
