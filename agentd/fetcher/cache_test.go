package fetcher

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	v1 "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// server counts the downloads of each of its files, which have as many bytes as
// their path says: /100 has 100.
type server struct {
	*httptest.Server
	mu   sync.Mutex
	gets map[string]int
	// silent keeps it from telling sizes.
	silent atomic.Bool
}

func newServer(t *testing.T) *server {
	s := &server{gets: map[string]int{}}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var n int
		if _, err := fmt.Sscanf(r.URL.Path, "/%d", &n); err != nil {
			http.NotFound(w, r)
			return
		}
		if s.silent.Load() {
			w.Header().Set("Transfer-Encoding", "chunked")
			w.(http.Flusher).Flush()
		} else {
			w.Header().Set("Content-Length", fmt.Sprint(n))
		}
		if r.Method == http.MethodGet {
			s.mu.Lock()
			s.gets[r.URL.Path]++
			s.mu.Unlock()
			_, _ = w.Write(bytes.Repeat([]byte("x"), n))
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *server) downloads(path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gets[path]
}

func caching(t *testing.T, size int64) *Fetcher {
	t.Helper()
	f := fetcher(t)
	f.cfg.CacheDir, f.cfg.CacheSize = filepath.Join(t.TempDir(), "cache"), size
	var err error
	if f.cache, err = newCache(f.cfg.CacheDir, size); err != nil {
		t.Fatal(err)
	}
	return f
}

// get fetches a URI through the cache into a new sandbox.
func get(t *testing.T, f *Fetcher, uri string, who *syscall.Credential) (sandbox, log string) {
	t.Helper()
	return getAs(t, f, &v1.CommandInfo_URI{Value: &uri, Extract: new(true)}, who)
}

// getAs is get for a URI with more to say.
func getAs(t *testing.T, f *Fetcher, uri *v1.CommandInfo_URI, who *syscall.Credential) (sandbox, log string) {
	t.Helper()
	r := request1(t, "")
	uri.Cache = new(true)
	r.URIs[0] = uri
	r.Credential = who
	if who != nil {
		var err error
		if r.Sandbox, err = os.MkdirTemp(filepath.Dir(f.cache.dir), "sandbox"); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(r.Sandbox, int(who.Uid), int(who.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Fetch(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(r.Output.Name())
	if err != nil {
		t.Fatal(err)
	}
	return r.Sandbox, string(data)
}

func size(t *testing.T, file string) int64 {
	t.Helper()
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

func TestOneDownload(t *testing.T) {
	s, f := newServer(t), caching(t, 1000)
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			sandbox, _ := get(t, f, s.URL+"/100", nil)
			if n := size(t, filepath.Join(sandbox, "100")); n != 100 {
				t.Errorf("the sandbox has %d bytes", n)
			}
		})
	}
	wait.Wait()
	if n := s.downloads("/100"); n != 1 {
		t.Errorf("it was downloaded %d times", n)
	}
	if got, want := f.Stats(), (Stats{Succeeded: 4, CacheUsed: 100, CacheTotal: 1000}); got != want {
		t.Errorf("stats %+v, want %+v", got, want)
	}
}

func TestEviction(t *testing.T) {
	s, f := newServer(t), caching(t, 250)
	for _, path := range []string{"/100", "/101", "/100", "/102"} { // the last throws out /101
		get(t, f, s.URL+path, nil)
	}
	get(t, f, s.URL+"/100", nil)
	get(t, f, s.URL+"/101", nil)
	for path, want := range map[string]int{"/100": 1, "/101": 2, "/102": 1} {
		if got := s.downloads(path); got != want {
			t.Errorf("%s was downloaded %d times, want %d", path, got, want)
		}
	}
	if used := f.Stats().CacheUsed; used != 201 {
		t.Errorf("%d bytes are in use", used)
	}
	files, err := filepath.Glob(filepath.Join(f.cfg.CacheDir, "agent", "c*"))
	if err != nil || len(files) != 2 {
		t.Errorf("the cache has %q: %v", files, err)
	}
}

func TestBypass(t *testing.T) {
	s, f := newServer(t), caching(t, 250)
	if _, log := get(t, f, s.URL+"/300", nil); !strings.Contains(log, "no room in the cache") {
		t.Errorf("of a file that doesn't fit the log says %q", log)
	}
	s.silent.Store(true)
	sandbox, log := get(t, f, s.URL+"/10", nil)
	if !strings.Contains(log, "without the cache") || size(t, filepath.Join(sandbox, "10")) != 10 {
		t.Errorf("of a file of unknown size the log says %q", log)
	}
	if used := f.Stats().CacheUsed; used != 0 {
		t.Errorf("%d bytes are in use", used)
	}
	r := request1(t, s.URL+"/missing")
	r.URIs[0].Cache = new(true)
	if err := f.Fetch(t.Context(), r); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("a file that isn't there: %v", err)
	}
	if f.Stats().Failed != 1 {
		t.Errorf("stats %+v", f.Stats())
	}
}

func TestUsersAreApart(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: becomes other users")
	}
	s, f := newServer(t), caching(t, 1000)
	f.cache.dir = filepath.Join(public(t, f), "cache")
	one, two := &syscall.Credential{Uid: 12345, Gid: 12345}, &syscall.Credential{Uid: 12346, Gid: 12346}
	for _, who := range []*syscall.Credential{one, two, one} {
		sandbox, log := get(t, f, s.URL+"/10", who)
		info, err := os.Stat(filepath.Join(sandbox, "10"))
		if err != nil || info.Sys().(*syscall.Stat_t).Uid != who.Uid || strings.Contains(log, "without") {
			t.Errorf("the file is %v: %v; log %s", info, err, log)
		}
	}
	if n := s.downloads("/10"); n != 2 {
		t.Errorf("it was downloaded %d times for two users", n)
	}
}

func TestCachedArchive(t *testing.T) {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	if err := w.WriteHeader(&tar.Header{Name: "inside", Mode: 0o644, Size: 2}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("hi")); err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "a.tar")
	if err := os.WriteFile(file, archive.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	f := caching(t, 1<<20)
	for range 2 {
		sandbox, _ := get(t, f, file, nil)
		entries, err := os.ReadDir(sandbox)
		names := []string{}
		for _, e := range entries {
			names = append(names, e.Name())
		}
		if err != nil || !slices.Equal(names, []string{"inside"}) {
			t.Errorf("the sandbox has %q: %v", names, err)
		}
		// What the cache has is the first copy.
		_ = os.Remove(file)
	}
}

// TestCachedFile: each container gets what it asked for of one copy in the cache, under the
// name and with the permissions that it wants.
func TestCachedFile(t *testing.T) {
	dir := t.TempDir()
	file, archive := filepath.Join(dir, "tool"), filepath.Join(dir, "a.tar")
	if err := errors.Join(os.WriteFile(file, []byte("x"), 0o644), os.WriteFile(archive, tarOf(t, "inside=hi"), 0o644)); err != nil {
		t.Fatal(err)
	}
	f := caching(t, 1<<20)
	for _, tt := range []struct {
		name string
		uri  *v1.CommandInfo_URI
		want []string
	}{
		{"first", &v1.CommandInfo_URI{Value: &file}, []string{"-rw-r--r-- tool=x"}},
		{"again", &v1.CommandInfo_URI{Value: &file}, []string{"-rw-r--r-- tool=x"}},
		{"executable", &v1.CommandInfo_URI{Value: &file, Executable: new(true)}, []string{"-rwxr-xr-x tool=x"}},
		{"another name", &v1.CommandInfo_URI{Value: &file, OutputFile: new("mine")}, []string{"-rw-r--r-- mine=x"}},
		{"elsewhere", &v1.CommandInfo_URI{Value: &file, OutputFile: new("a/mine"), Executable: new(true)}, []string{"drwxr-xr-x a", "-rwxr-xr-x a/mine=x"}},
		{"archive as it is", &v1.CommandInfo_URI{Value: &archive, OutputFile: new("b"), Extract: new(false)},
			[]string{"-rw-r--r-- b=" + string(tarOf(t, "inside=hi"))}},
		{"archive under another name", &v1.CommandInfo_URI{Value: &archive, OutputFile: new("b"), Extract: new(true)}, []string{"-rwxr-xr-x inside=hi"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sandbox, log := getAs(t, f, tt.uri, nil)
			if diff := cmp.Diff(tt.want, list(t, sandbox)); diff != "" || !strings.Contains(log, "the cache\n") {
				t.Errorf("(-want +got):\n%s\nlog %s", diff, log)
			}
		})
	}
	if n := len(f.cache.entries); n != 2 {
		t.Errorf("the cache has %d files, want 2", n)
	}
}

// TestCacheDamaged: a file of the cache that somebody deleted or cut is downloaded again.
func TestCacheDamaged(t *testing.T) {
	for name, damage := range map[string]func(file string) error{
		"deleted": os.Remove,
		"cut":     func(file string) error { return os.Truncate(file, 50) },
		"all":     func(file string) error { return os.RemoveAll(filepath.Dir(filepath.Dir(file))) },
	} {
		t.Run(name, func(t *testing.T) {
			s, f := newServer(t), caching(t, 1000)
			get(t, f, s.URL+"/100", nil)
			files, err := filepath.Glob(filepath.Join(f.cfg.CacheDir, "agent", "c*"))
			if err != nil || len(files) != 1 {
				t.Fatalf("the cache has %q: %v", files, err)
			}
			if err := damage(files[0]); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				sandbox, log := get(t, f, s.URL+"/100", nil)
				if n := size(t, filepath.Join(sandbox, "100")); n != 100 || strings.Contains(log, "without") {
					t.Errorf("the sandbox has %d bytes; log %s", n, log)
				}
			}
			if n, used := s.downloads("/100"), f.Stats().CacheUsed; n != 2 || used != 100 {
				t.Errorf("it was downloaded %d times, %d bytes are in use", n, used)
			}
		})
	}
}

// TestReserve never gives more room than there is, and never takes what is held.
func TestReserve(t *testing.T) {
	c, err := newCache(filepath.Join(t.TempDir(), "c"), 100)
	if err != nil {
		t.Fatal(err)
	}
	hold := func(uri string) *cacheEntry {
		e, _ := c.hold(cacheKey{"u", uri}, "/nowhere", uri)
		return e
	}
	a, b := hold("a"), hold("b")
	if c.reserve(a, 60) != nil || c.reserve(b, 60) == nil {
		t.Error("120 bytes of 100 were reserved, or not 60")
	}
	c.filled(b, errNoRoom)
	if again, fill := c.hold(cacheKey{"u", "b"}, "/nowhere", "b"); !fill || again == b {
		t.Error("a file that failed is still known")
	} else {
		b = again
	}
	c.release(a)
	if err := c.reserve(b, 60); err != nil {
		t.Errorf("what nobody holds was not thrown out: %v", err)
	}
	if c.usage() != 60 {
		t.Errorf("%d bytes are in use", c.usage())
	}
}
