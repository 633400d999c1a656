// Package images makes container images and registries for tests: no test needs the
// network, or an image that somebody else made.
package images

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// File is an entry of a layer: a directory if its name ends with a slash, a link if it
// has a target, else a file.
type File struct {
	Name, Contents, Target string
	// Mode is 0755 if zero.
	Mode int64
}

// Layer makes a layer.
func Layer(t testing.TB, files ...File) v1.Layer {
	t.Helper()
	return layerOf(t, Archive(t, files...))
}

func layerOf(t testing.TB, data []byte) v1.Layer {
	t.Helper()
	l, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil })
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// Archive makes a tar archive.
func Archive(t testing.TB, files ...File) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: f.Name, Mode: f.Mode, Size: int64(len(f.Contents))}
		switch {
		case strings.HasSuffix(f.Name, "/"):
			h.Typeflag = tar.TypeDir
		case f.Target != "":
			h.Typeflag, h.Linkname = tar.TypeSymlink, f.Target
		}
		if h.Mode == 0 {
			h.Mode = 0o755
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, f.Contents); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Of makes an image for this machine's platform.
func Of(t testing.TB, config v1.Config, layers ...v1.Layer) v1.Image {
	t.Helper()
	image, err := mutate.AppendLayers(empty.Image, layers...)
	if err != nil {
		t.Fatal(err)
	}
	file, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	file = file.DeepCopy()
	file.OS, file.Architecture, file.Config = "linux", runtime.GOARCH, config
	if image, err = mutate.ConfigFile(image, file); err != nil {
		t.Fatal(err)
	}
	return image
}

// programs are those of the machine that Programs has.
var programs = []string{"sh", "cat", "ls", "sleep", "id", "env", "mkdir", "rm", "hostname", "stat", "grep", "touch"}

var collected = sync.OnceValues(collect)

// Programs are the files of a root file system with a shell and some programs: those of
// this machine, with the libraries that they need.
func Programs(t testing.TB) []File {
	t.Helper()
	files, err := collected()
	if err != nil {
		t.Skipf("no programs for an image: %v", err)
	}
	return files
}

// Shell is a layer with Programs.
func Shell(t testing.TB) v1.Layer { return Layer(t, Programs(t)...) }

func collect() ([]File, error) {
	files := []File{{Name: "bin/"}, {Name: "etc/"}, {Name: "etc/passwd", Contents: "root:x:0:0::/:/bin/sh\n", Mode: 0o644}, {Name: "tmp/", Mode: 0o1777}}
	done := map[string]bool{}
	add := func(path, as string) error {
		if done[as] {
			return nil
		}
		done[as] = true
		data, err := os.ReadFile(path)
		files = append(files, File{Name: strings.TrimPrefix(as, "/"), Contents: string(data)})
		return err
	}
	for _, name := range programs {
		path, err := exec.LookPath(name)
		if err != nil {
			return nil, err
		}
		if err := add(path, "/bin/"+name); err != nil {
			return nil, err
		}
		// Without shared libraries ldd fails, and there is nothing to add.
		out, _ := exec.Command("ldd", path).Output()
		for word := range strings.FieldsSeq(string(out)) {
			if filepath.IsAbs(word) {
				if err := add(word, word); err != nil {
					return nil, err
				}
			}
		}
	}
	return files, nil
}
