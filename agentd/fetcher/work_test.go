package fetcher

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/ulikunitz/xz"
)

func TestTarget(t *testing.T) {
	tests := map[string]struct {
		item item
		want string
		bad  bool
	}{
		"http":                 {item: item{URI: "http://h/a/b.tgz"}, want: "b.tgz"},
		"a query is kept":      {item: item{URI: "http://h/b?x=1"}, want: "b?x=1"},
		"path":                 {item: item{URI: "/a/b"}, want: "b"},
		"output file":          {item: item{URI: "/a/b", OutputFile: "c/d"}, want: "c/d"},
		"no path":              {item: item{URI: "http://h"}, bad: true},
		"no file":              {item: item{URI: "http://h/"}, bad: true},
		"directory":            {item: item{URI: "/a/"}, bad: true},
		"parent":               {item: item{URI: "/a/.."}, bad: true},
		"backslash":            {item: item{URI: `/a\b`}, bad: true},
		"quote":                {item: item{URI: "/a'b"}, bad: true},
		"NUL":                  {item: item{URI: "/a\x00b"}, bad: true},
		"output outside":       {item: item{URI: "/a", OutputFile: "../x"}, bad: true},
		"absolute output file": {item: item{URI: "/a", OutputFile: "/x"}, bad: true},
		"hidden way out":       {item: item{URI: "/a", OutputFile: "x/../../y"}, bad: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := test.item.target()
			if got != test.want || (err != nil) != test.bad || err != nil && !errors.Is(err, ErrURI) {
				t.Errorf("%q, error %v", got, err)
			}
		})
	}
}

func FuzzTarget(f *testing.F) {
	f.Add("http://h/a", "")
	f.Add("/a", "../x")
	f.Fuzz(func(t *testing.T, uri, output string) {
		name, err := item{URI: uri, OutputFile: output}.target()
		if err == nil && !filepath.IsLocal(name) {
			t.Errorf("%q is not within the sandbox", name)
		}
	})
}

func TestLocalPath(t *testing.T) {
	tests := map[string]struct {
		uri, home, want string
		remote, bad     bool
	}{
		"path":             {uri: "/a", want: "/a"},
		"file":             {uri: "file:///a", want: "/a"},
		"localhost":        {uri: "file://localhost/a", want: "/a"},
		"other host":       {uri: "file://h/a", bad: true},
		"relative":         {uri: "a", home: "/h", want: "/h/a"},
		"without home":     {uri: "a", bad: true},
		"relative, a file": {uri: "file://a", home: "/h", bad: true},
		"http":             {uri: "http://h/a", remote: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, ok, err := localPath(test.uri, test.home)
			if (err != nil) != test.bad || err == nil && (ok == test.remote || got != test.want) {
				t.Errorf("%q, %v, error %v", got, ok, err)
			}
		})
	}
}

// sandbox is a sandbox beside a file that nobody may touch.
func sandbox(t *testing.T, cfg Config) (*work, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "sandbox")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	outside := filepath.Join(filepath.Dir(dir), "outside")
	if err := os.WriteFile(outside, []byte("untouched"), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if got, err := os.ReadFile(outside); err != nil || string(got) != "untouched" {
			t.Errorf("the file outside is %q, error %v", got, err)
		}
		entries, err := os.ReadDir(filepath.Dir(dir))
		if err != nil || len(entries) != 2 {
			t.Errorf("beside the sandbox there are %v, error %v", entries, err)
		}
	})
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return &work{cfg: cfg, root: root, client: newClient(cfg), log: io.Discard}, dir
}

// list is all files of a directory with what they are.
func list(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		info, err := d.Info()
		if err != nil {
			return err
		}
		line := info.Mode().String() + " " + name
		switch {
		case d.Type().IsRegular():
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			line += "=" + string(data)
		case d.Type() == fs.ModeSymlink:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			line += "->" + target
		}
		out = append(out, line)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// tarOf makes an archive. Names that end in a slash are directories; contents
// that begin with -> or => are links of one kind or the other.
func tarOf(t *testing.T, files ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		name, contents, _ := strings.Cut(f, "=")
		h := &tar.Header{Name: name, Mode: 0o755, Typeflag: tar.TypeReg, Size: int64(len(contents))}
		switch {
		case strings.HasSuffix(name, "/"):
			h.Typeflag, h.Mode = tar.TypeDir, 0o750
		case strings.HasPrefix(contents, "->"):
			h.Typeflag, h.Linkname, h.Size, contents = tar.TypeSymlink, contents[2:], 0, ""
		case strings.HasPrefix(contents, "=>"):
			h.Typeflag, h.Linkname, h.Size, contents = tar.TypeLink, contents[2:], 0, ""
		case contents == "device":
			h.Typeflag, h.Size, contents = tar.TypeChar, 0, ""
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, contents); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zipOf(t *testing.T, files ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range files {
		name, contents, _ := strings.Cut(f, "=")
		h := &zip.FileHeader{Name: name, Method: zip.Deflate}
		h.SetMode(0o755)
		if target, ok := strings.CutPrefix(contents, "->"); ok {
			h.SetMode(0o777 | fs.ModeSymlink)
			contents = target
		}
		e, err := w.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(e, contents); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func compressed[W io.WriteCloser](t *testing.T, data []byte, writer func(io.Writer) (W, error)) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := writer(&b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gz(w io.Writer) (*gzip.Writer, error) { return gzip.NewWriter(w), nil }

// bzipped is "hello" in a tar, as a file named f: there is no writer in the
// standard library.
const bzipped = "QlpoOTFBWSZTWa9WNfMAACvbgMmAQABnAAAA40SeAAgIIABUVoADQDT1BJCjIwQAYkcfIyEEdVmWpnImyTg1XsyIYRh0PGKNdzyTjB1FIAIkXxdyRThQkK9WNfM="

func decoded(t *testing.T, text string) []byte {
	t.Helper()
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestExtract(t *testing.T) {
	plain := tarOf(t, "d/", "d/f=hello", "l=->d/f", "h==>d/f")
	want := []string{"drwxr-x--- d", "-rwxr-xr-x d/f=hello", "-rwxr-xr-x h=hello", "Lrwxrwxrwx l->d/f"}
	tests := map[string]struct {
		name string
		data []byte
		want []string
		err  error
		any  bool // some error
	}{
		"tar":                      {name: "a.tar", data: plain, want: want},
		"tar.gz":                   {name: "a.tar.gz", data: compressed(t, plain, gz), want: want},
		"tgz":                      {name: "a.tgz", data: compressed(t, plain, gz), want: want},
		"tar.xz":                   {name: "a.tar.xz", data: compressed(t, plain, xz.NewWriter), want: want},
		"txz":                      {name: "a.txz", data: compressed(t, plain, xz.NewWriter), want: want},
		"zip":                      {name: "a.zip", data: zipOf(t, "d/f=hello", "l=->d/f"), want: []string{"drwxr-xr-x d", "-rwxr-xr-x d/f=hello", "Lrwxrwxrwx l->d/f"}},
		"gz":                       {name: "f.txt.gz", data: compressed(t, []byte("hello"), gz), want: []string{"-rw-r--r-- f.txt=hello"}},
		"not an archive":           {name: "a.jar", data: []byte("x")},
		"garbage":                  {name: "a.tar.gz", data: []byte("x"), any: true},
		"garbage zip":              {name: "a.zip", data: []byte("x"), any: true},
		"tbz2":                     {name: "a.tbz2", data: decoded(t, bzipped), want: []string{"-rw-r--r-- f=hello"}},
		"tar.bz2":                  {name: "a.tar.bz2", data: decoded(t, bzipped), want: []string{"-rw-r--r-- f=hello"}},
		"cut":                      {name: "a.tbz2", data: decoded(t, bzipped)[:40], any: true},
		"absolute names":           {name: "a.tar", data: tarOf(t, "/etc/f=hello"), want: []string{"drwxr-xr-x etc", "-rwxr-xr-x etc/f=hello"}},
		"devices are left out":     {name: "a.tar", data: tarOf(t, "null=device", "f=x"), want: []string{"-rwxr-xr-x f=x"}},
		"the same file twice, zip": {name: "a.zip", data: zipOf(t, "f=one", "f=two"), want: []string{"-rwxr-xr-x f=two"}},
		"the same file twice":      {name: "a.tar", data: tarOf(t, "f=one", "f=two"), want: []string{"-rwxr-xr-x f=two"}},
		"a way out":                {name: "a.tar", data: tarOf(t, "../outside=x"), err: ErrURI},
		"a way out of a zip":       {name: "a.zip", data: zipOf(t, "../outside=x"), any: true},
		"through a link":           {name: "a.tar", data: tarOf(t, "d=->..", "d/outside=x"), any: true},
		"through a link in a zip":  {name: "a.zip", data: zipOf(t, "d=->..", "d/outside=x"), any: true},
		"through an absolute one":  {name: "a.tar", data: tarOf(t, "d=->/tmp", "d/outside=x"), any: true},
		"over a link":              {name: "a.tar", data: tarOf(t, "f=->../outside", "f=x"), want: []string{"-rwxr-xr-x f=x"}},
		"hard link from outside":   {name: "a.tar", data: tarOf(t, "f==>../outside", "f=x"), any: true},
		"too much":                 {name: "a.tar", data: tarOf(t, "f="+strings.Repeat("x", 2000), "g="+strings.Repeat("x", 3000)), err: ErrTooLarge},
		"a bomb":                   {name: "f.gz", data: compressed(t, make([]byte, 5000), gz), err: ErrTooLarge},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w, dir := sandbox(t, Config{MaxBytes: 4000})
			if err := os.WriteFile(filepath.Join(dir, test.name), test.data, 0o644); err != nil {
				t.Fatal(err)
			}
			ok, err := w.extract(test.name)
			if test.err != nil || test.any {
				if err == nil || test.err != nil && !errors.Is(err, test.err) {
					t.Errorf("error %v, want %v", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if ok != (test.want != nil) {
				t.Errorf("extracted: %v", ok)
			}
			if err := os.Remove(filepath.Join(dir, test.name)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, list(t, dir)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzUntar(f *testing.F) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	_ = w.WriteHeader(&tar.Header{Name: "../x", Size: 1, Typeflag: tar.TypeReg})
	_, _ = w.Write([]byte("x"))
	_ = w.Close()
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		w, _ := sandbox(t, Config{MaxBytes: 1 << 16})
		_ = w.untar(bytes.NewReader(data)) // the sandbox checks what is beside it
	})
}

func TestFetch(t *testing.T) {
	archive, packed := tarOf(t, "bin/run=#!/bin/sh\n"), compressed(t, []byte("contents"), gz)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/f":
			fmt.Fprint(w, "contents")
		case "/moved":
			http.Redirect(w, r, "/f", http.StatusFound)
		case "/a.tar":
			_, _ = w.Write(archive)
		case "/f.gz":
			_, _ = w.Write(packed)
		case "/slow":
			fmt.Fprint(w, "some")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		case "/large":
			_, _ = w.Write(make([]byte, 2<<20))
		case "/endless":
			for range 20 {
				_, _ = w.Write(make([]byte, 1<<17))
				w.(http.Flusher).Flush()
			}
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	local := filepath.Join(t.TempDir(), "local")
	if err := os.WriteFile(local, []byte("contents"), 0o600); err != nil {
		t.Fatal(err)
	}
	u := server.URL
	tests := map[string]struct {
		item item
		want []string
		err  string
	}{
		"http":             {item: item{URI: u + "/f"}, want: []string{"-rw-r--r-- f=contents"}},
		"redirection":      {item: item{URI: u + "/moved"}, want: []string{"-rw-r--r-- moved=contents"}},
		"executable":       {item: item{URI: u + "/f", Executable: true}, want: []string{"-rwxr-xr-x f=contents"}},
		"output file":      {item: item{URI: u + "/f", OutputFile: "a/b/c"}, want: []string{"drwxr-xr-x a", "drwxr-xr-x a/b", "-rw-r--r-- a/b/c=contents"}},
		"archive":          {item: item{URI: u + "/a.tar", Extract: true}, want: []string{"-rw-r--r-- a.tar=" + string(archive), "drwxr-xr-x bin", "-rwxr-xr-x bin/run=#!/bin/sh\n"}},
		"archive as it is": {item: item{URI: u + "/a.tar"}, want: []string{"-rw-r--r-- a.tar=" + string(archive)}},
		"not an archive":   {item: item{URI: u + "/f", Extract: true}, want: []string{"-rw-r--r-- f=contents"}},
		"gz by its new name": {item: item{URI: u + "/f.gz", OutputFile: "sub/g.gz", Extract: true},
			want: []string{"-rw-r--r-- g=contents", "drwxr-xr-x sub", "-rw-r--r-- sub/g.gz=" + string(packed)}},
		"no archive by its new name": {item: item{URI: u + "/a.tar", OutputFile: "a", Extract: true}, want: []string{"-rw-r--r-- a=" + string(archive)}},
		"an executable archive":      {item: item{URI: u + "/a.tar", Executable: true, Extract: true}, want: []string{"-rwxr-xr-x a.tar=" + string(archive)}},
		"path":                       {item: item{URI: local}, want: []string{"-rw------- local=contents"}},
		"file":                       {item: item{URI: "file://" + local}, want: []string{"-rw------- local=contents"}},
		"missing":                    {item: item{URI: u + "/missing"}, err: "404 Not Found"},
		"missing file":               {item: item{URI: local + "-"}, err: "no such file"},
		"directory":                  {item: item{URI: filepath.Dir(local)}, err: "not a regular file"},
		"stalls":                     {item: item{URI: u + "/slow"}, err: "no data for 1s"},
		"large":                      {item: item{URI: u + "/large"}, err: "larger than the limit"},
		"endless":                    {item: item{URI: u + "/endless"}, err: "larger than the limit"},
		"ftp":                        {item: item{URI: "ftp://h/f"}, err: "ftp is not supported"},
		"unknown scheme":             {item: item{URI: "x://h/f"}, err: "no hadoop client"},
		"nobody is serving":          {item: item{URI: "http://127.0.0.1:1/f"}, err: "connection refused"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Setenv("HADOOP_HOME", "/no/such")
			stall := time.Minute // nothing but the one that stalls may fail for being slow
			if name == "stalls" {
				stall = time.Second
			}
			w, dir := sandbox(t, Config{StallTimeout: stall, MaxBytes: 1 << 20})
			err := w.fetch(context.Background(), test.item)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("error %v, want %q", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, list(t, dir)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A link that the sandbox's owner left is replaced, not written through.
func TestFetchOverLink(t *testing.T) {
	local := filepath.Join(t.TempDir(), "local")
	if err := os.WriteFile(local, []byte("contents"), 0o600); err != nil {
		t.Fatal(err)
	}
	w, dir := sandbox(t, Config{StallTimeout: time.Second, MaxBytes: 1 << 20})
	if err := os.Symlink("../outside", filepath.Join(dir, "local")); err != nil {
		t.Fatal(err)
	}
	if err := w.fetch(context.Background(), item{URI: local}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"-rw------- local=contents"}, list(t, dir)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestHadoop(t *testing.T) {
	home := t.TempDir()
	if err := os.Mkdir(filepath.Join(home, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	script := `#!/bin/sh
case "$1 $2 $3" in
"fs -copyToLocal hdfs://h/f") echo from hadoop > "$4" ;;
"fs -du hdfs://h/f") echo "21/01/01 WARN something"; echo "12  36  hdfs://h/f" ;;
"fs -du hdfs://h/old") echo "7 hdfs://h/old" ;;
"fs -du hdfs://h/odd") echo "7 hdfs://h/other" ;;
*) exit 1 ;;
esac
`
	if err := os.WriteFile(filepath.Join(home, "bin", "hadoop"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HADOOP_HOME", home)
	w, dir := sandbox(t, Config{StallTimeout: time.Second, MaxBytes: 1 << 20})
	if err := w.fetch(context.Background(), item{URI: "hdfs://h/f"}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"-rw-r--r-- f=from hadoop\n"}, list(t, dir)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for name, want := range map[string]int64{"f": 12, "old": 7, "odd": 0, "missing": 0} {
		if got, err := w.size(context.Background(), "hdfs://h/"+name); got != want || (err == nil) != (want > 0) {
			t.Errorf("size of %s: %d, %v", name, got, err)
		}
	}
}
