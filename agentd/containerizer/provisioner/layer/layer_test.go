package layer

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func archive(t testing.TB, entries ...tar.Header) *bytes.Buffer {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range entries {
		contents := ""
		if h.Typeflag == tar.TypeReg {
			contents = h.Linkname
			h.Linkname, h.Size = "", int64(len(contents))
		}
		if h.Mode == 0 {
			h.Mode = 0o755
		}
		h.Uid, h.Gid = os.Getuid(), os.Getgid()
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, contents); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &b
}

func dir(name string) tar.Header { return tar.Header{Typeflag: tar.TypeDir, Name: name} }
func file(name, contents string) tar.Header {
	return tar.Header{Typeflag: tar.TypeReg, Name: name, Linkname: contents, Mode: 0o644}
}
func link(name, target string) tar.Header {
	return tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target}
}
func hard(name, target string) tar.Header {
	return tar.Header{Typeflag: tar.TypeLink, Name: name, Linkname: target}
}

// listing tells a tree: contents of files, targets of links, whiteouts as such.
func listing(t testing.TB, root string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(root, path)
		value := make([]byte, 8)
		switch {
		case d.IsDir():
			out[name] = "dir"
			if n, err := unix.Getxattr(path, "trusted.overlay.opaque", value); err == nil && string(value[:n]) == "y" {
				out[name] = "opaque"
			}
		case d.Type()&fs.ModeSymlink != 0:
			target, _ := os.Readlink(path)
			out[name] = "-> " + target
		case d.Type()&fs.ModeCharDevice != 0:
			out[name] = "whiteout"
		case d.Type()&fs.ModeNamedPipe != 0:
			out[name] = "fifo"
		default:
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			out[name] = "= " + string(data)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	delete(out, ".")
	return out
}

func needRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root for whiteouts of the overlay")
	}
}

func TestUnpack(t *testing.T) {
	tests := map[string]struct {
		form    Form
		entries []tar.Header
		want    map[string]string
	}{
		"files": {
			entries: []tar.Header{dir("./"), dir("a/"), file("a/f", "x"), link("l", "/etc/passwd"), hard("h", "a/f"),
				{Typeflag: tar.TypeFifo, Name: "p"}},
			want: map[string]string{"a": "dir", "a/f": "= x", "l": "-> /etc/passwd", "h": "= x", "p": "fifo"},
		},
		"directories that are not listed": {
			entries: []tar.Header{file("a/b/c", "x")},
			want:    map[string]string{"a": "dir", "a/b": "dir", "a/b/c": "= x"},
		},
		"absolute names are below": {
			entries: []tar.Header{file("/etc/passwd", "x")},
			want:    map[string]string{"etc": "dir", "etc/passwd": "= x"},
		},
		"links on the way lead where they do in the container": {
			entries: []tar.Header{dir("run"), dir("var"), link("var/run", "/run"), file("var/run/f", "x"),
				link("up", "../../../../run"), file("up/g", "y")},
			want: map[string]string{"run": "dir", "run/f": "= x", "run/g": "= y", "up": "-> ../../../../run", "var": "dir", "var/run": "-> /run"},
		},
		"a link is not written through": {
			entries: []tar.Header{link("f", "/etc/passwd"), file("f", "mine")},
			want:    map[string]string{"f": "= mine"},
		},
		"a directory replaces a link": {
			entries: []tar.Header{link("d", "/etc"), dir("d"), file("d/f", "x")},
			want:    map[string]string{"d": "dir", "d/f": "= x"},
		},
		"a later entry replaces an earlier one": {
			entries: []tar.Header{dir("d"), file("d/f", "x"), file("d", "y"), file("e", "1"), file("e", "2")},
			want:    map[string]string{"d": "= y", "e": "= 2"},
		},
		"a hard link to a link is that link": {
			entries: []tar.Header{link("l", "/etc/shadow"), hard("h", "l")},
			want:    map[string]string{"l": "-> /etc/shadow", "h": "-> /etc/shadow"},
		},
		"devices are left out": {
			entries: []tar.Header{{Typeflag: tar.TypeBlock, Name: "sda", Devmajor: 8}, {Typeflag: tar.TypeChar, Name: "kmem", Devmajor: 1, Devminor: 2}, file("f", "")},
			want:    map[string]string{"f": "= "},
		},
		"plain whiteouts": {
			entries: []tar.Header{dir("d"), file("d/.wh..wh..opq", ""), file(".wh.gone", "")},
			want:    map[string]string{"d": "dir", "d/.wh..wh..opq": "= ", ".wh.gone": "= "},
		},
		"overlay's whiteouts": {
			form: Overlay,
			entries: []tar.Header{dir("d"), file("d/.wh..wh..opq", ""), file("d/f", "x"), file(".wh.gone", ""), file(".wh..wh.plnk", ""),
				file("new/.wh.g", "")},
			want: map[string]string{"d": "opaque", "d/f": "= x", "gone": "whiteout", "new": "dir", "new/g": "whiteout"},
		},
		"a whiteout and what takes the place": {
			form: Overlay,
			entries: []tar.Header{file(".wh.d", ""), dir("d"), dir("e"), file(".wh.e", ""), file("f", "x"), file(".wh.f", ""),
				file(".wh.g", ""), file("g", "y")},
			want: map[string]string{"d": "opaque", "e": "opaque", "f": "= x", "g": "= y"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if tt.form == Overlay {
				needRoot(t)
			}
			root := t.TempDir()
			if err := Unpack(t.Context(), archive(t, tt.entries...), root, tt.form, DefaultLimits()); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, listing(t, root)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestUnpackRefuses(t *testing.T) {
	tests := map[string]struct {
		entries []tar.Header
		want    error
	}{
		"a way up":                    {[]tar.Header{file("../f", "")}, ErrUnsafe},
		"a way up inside":             {[]tar.Header{file("a/../../f", "")}, ErrUnsafe},
		"a hard link upwards":         {[]tar.Header{hard("h", "../../etc/passwd")}, ErrUnsafe},
		"a hard link to nothing":      {[]tar.Header{hard("h", "/etc/passwd")}, fs.ErrNotExist},
		"a hard link to a directory":  {[]tar.Header{dir("d"), hard("h", "d")}, ErrUnsafe},
		"links in a circle":           {[]tar.Header{link("a", "b"), link("b", "a"), file("a/f", "")}, ErrUnsafe},
		"a file as a directory":       {[]tar.Header{file("a", ""), file("a/f", "")}, unix.ENOTDIR},
		"a root that is no directory": {[]tar.Header{file(".", "")}, ErrUnsafe},
		"a whiteout of the parent":    {[]tar.Header{file(".wh...", "")}, ErrUnsafe},
		"too many entries":            {[]tar.Header{file("a", ""), file("b", ""), file("c", ""), file("d", ""), file("e", "")}, ErrTooLarge},
		"too many bytes":              {[]tar.Header{file("a", strings.Repeat("x", 101))}, ErrTooLarge},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			outside := t.TempDir()
			root := filepath.Join(outside, "root")
			if err := os.Mkdir(root, 0o700); err != nil {
				t.Fatal(err)
			}
			err := Unpack(t.Context(), archive(t, tt.entries...), root, Applied, Limits{Entries: 4, Bytes: 100})
			if !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if entries, _ := os.ReadDir(outside); len(entries) != 1 {
				t.Errorf("something got out: %v", entries)
			}
		})
	}
}

// Attributes that mean something to the overlay are the agent's alone: by
// trusted.overlay.redirect a layer would show another directory's files.
func TestUnpackAttributes(t *testing.T) {
	needRoot(t)
	root := t.TempDir()
	d, f := dir("d"), file("f", "x")
	d.PAXRecords = map[string]string{attributePrefix + "trusted.overlay.opaque": "y", attributePrefix + "user.a": "b"}
	f.Mode = 0o4755
	if err := Unpack(t.Context(), archive(t, d, f), root, Overlay, DefaultLimits()); err != nil {
		t.Fatal(err)
	}
	value := make([]byte, 16)
	if _, err := unix.Getxattr(filepath.Join(root, "d"), "trusted.overlay.opaque", value); !errors.Is(err, unix.ENODATA) {
		t.Errorf("trusted attribute: %v", err)
	}
	if n, err := unix.Getxattr(filepath.Join(root, "d"), "user.a", value); err != nil || string(value[:n]) != "b" {
		t.Errorf("user attribute: %q, %v", value[:max(n, 0)], err)
	}
	if info, err := os.Stat(filepath.Join(root, "f")); err != nil || info.Mode()&fs.ModeSetuid == 0 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestUnpackEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Unpack(ctx, archive(t, file("f", "x")), t.TempDir(), Plain, DefaultLimits()); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// What the copying backend makes of layers is what the overlay shows of them.
func TestCopy(t *testing.T) {
	lower, upper, root := t.TempDir(), t.TempDir(), t.TempDir()
	first := archive(t, dir("keep"), file("keep/a", "1"), dir("all"), file("all/gone", "1"), file("gone", "1"), link("l", "/keep"),
		file("changed", "1"), hard("same", "changed"), dir("todir"))
	second := archive(t, file(".wh.gone", ""), dir("all"), file("all/.wh..wh..opq", ""), file("all/new", "2"), file("keep/b", "2"),
		dir("l"), file("l/f", "2"), file("changed", "2"), file(".wh.never", ""), file("todir", "2"))
	for d, a := range map[string]*bytes.Buffer{lower: first, upper: second} {
		if err := Unpack(t.Context(), a, d, Plain, DefaultLimits()); err != nil {
			t.Fatal(err)
		}
	}
	for _, l := range []string{lower, upper} {
		if err := Copy(t.Context(), l, root, DefaultLimits()); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]string{
		"keep": "dir", "keep/a": "= 1", "keep/b": "= 2", "all": "dir", "all/new": "= 2", "l": "dir", "l/f": "= 2",
		"changed": "= 2", "same": "= 1", "todir": "= 2",
	}
	if diff := cmp.Diff(want, listing(t, root)); diff != "" {
		t.Error(diff)
	}
}

func TestCopyKeepsHardLinksAndModes(t *testing.T) {
	lower, root := t.TempDir(), t.TempDir()
	f := file("a", "1")
	f.Mode = 0o640
	if err := Unpack(t.Context(), archive(t, f, hard("d/b", "a")), lower, Plain, DefaultLimits()); err != nil {
		t.Fatal(err)
	}
	if err := Copy(t.Context(), lower, root, DefaultLimits()); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(root, "d/b"))
	if err != nil || info.Mode().Perm() != 0o640 || info.Sys().(*syscall.Stat_t).Nlink != 2 {
		t.Errorf("%v, %v", info, err)
	}
}

// Whatever the archive, nothing outside of the directory changes.
func FuzzUnpack(f *testing.F) {
	f.Add(archive(f, dir("a"), link("a/l", "../../.."), file("a/l/x", "1"), hard("h", "a/l"), file(".wh.a", "")).Bytes())
	f.Add(archive(f, link("x", "/"), dir("x"), file("x/../y", "1")).Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		outside := t.TempDir()
		root := filepath.Join(outside, "in", "root")
		if err := os.MkdirAll(root, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(outside, "bait"), []byte("bait"), 0o600); err != nil {
			t.Fatal(err)
		}
		_ = Unpack(t.Context(), bytes.NewReader(data), root, Applied, Limits{Entries: 100, Bytes: 1 << 20})
		_ = os.Chmod(root, 0o700)
		got, err := os.ReadFile(filepath.Join(outside, "bait"))
		if err != nil || string(got) != "bait" {
			t.Fatalf("%q, %v", got, err)
		}
		for _, d := range []string{outside, filepath.Join(outside, "in")} {
			if entries, _ := os.ReadDir(d); len(entries) > 2 {
				t.Fatalf("something got out: %v", entries)
			}
		}
	})
}
