// Package image writes container images from static binaries, without a container
// engine: a base layer that holds what a static Go program may ask for (accounts,
// name resolution order, CA certificates, /tmp), and a layer with the files of the
// image. The same files give the same digest.
package image

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// NonRoot is the user and group of images that need no privileges; 65532 is what
// distroless images use, too.
const NonRoot = "65532:65532"

// path of the CA certificates, on Debian and in the image.
const caCertificates = "/etc/ssl/certs/ca-certificates.crt"

// Spec describes an image.
type Spec struct {
	// Reference is its name and tag, Aliases are further ones. Without a registry
	// they mean Docker Hub's, as everywhere else.
	Reference string
	Aliases   []string
	// Entrypoint is the program and its fixed arguments.
	Entrypoint []string
	// User is "uid:gid"; empty means root.
	User string
	// Env are "NAME=value" in addition to PATH.
	Env []string
	// Labels are the image's labels.
	Labels map[string]string
	// Files are what the image holds beyond the base.
	Files []File
}

// File is one regular file of an image.
type File struct {
	// Path is absolute, in the image.
	Path string
	// Source is the file to copy, with its mode.
	Source string
}

// Write builds the image and writes it to out as an archive in the form of
// "docker save".
func Write(out string, s Spec) error {
	img, err := Build(s)
	if err != nil {
		return err
	}
	refs := map[name.Tag]v1.Image{}
	for _, r := range append([]string{s.Reference}, s.Aliases...) {
		ref, err := name.NewTag(r)
		if err != nil {
			return fmt.Errorf("writing image: %w", err)
		}
		refs[ref] = img
	}
	if err := tarball.MultiWriteToFile(out+".tmp", refs); err != nil {
		return fmt.Errorf("writing image %s: %w", s.Reference, err)
	}
	return os.Rename(out+".tmp", out)
}

// Push builds the image and sends it to the registry of its reference, with the
// credentials of the user's docker configuration. Aliases are not pushed.
func Push(ctx context.Context, s Spec) error {
	ref, err := name.NewTag(s.Reference)
	if err != nil {
		return fmt.Errorf("pushing image: %w", err)
	}
	img, err := Build(s)
	if err != nil {
		return err
	}
	if err := remote.Write(ref, img, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain)); err != nil {
		return fmt.Errorf("pushing image %s: %w", ref, err)
	}
	return nil
}

// References returns the names of the images in an archive in the form of "docker
// save"; none for any other archive.
func References(archive string) []string {
	m, err := tarball.LoadManifest(func() (io.ReadCloser, error) { return os.Open(archive) })
	if err != nil {
		return nil
	}
	var refs []string
	for _, d := range m {
		refs = append(refs, d.RepoTags...)
	}
	return refs
}

// Build makes the image in memory.
func Build(s Spec) (v1.Image, error) {
	base, err := baseLayer()
	if err != nil {
		return nil, fmt.Errorf("building image %s: %w", s.Reference, err)
	}
	files, err := fileLayer(s.Files)
	if err != nil {
		return nil, fmt.Errorf("building image %s: %w", s.Reference, err)
	}
	img, err := mutate.Append(empty.Image,
		mutate.Addendum{Layer: base, History: v1.History{CreatedBy: "localkube: base"}},
		mutate.Addendum{Layer: files, History: v1.History{CreatedBy: "localkube: files"}})
	if err != nil {
		return nil, fmt.Errorf("building image %s: %w", s.Reference, err)
	}
	cf, err := img.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("building image %s: %w", s.Reference, err)
	}
	cf = cf.DeepCopy()
	cf.OS, cf.Architecture = "linux", runtime.GOARCH
	cf.Config = v1.Config{
		Entrypoint: s.Entrypoint,
		User:       s.User,
		Env:        append([]string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, s.Env...),
		Labels:     s.Labels,
		WorkingDir: "/",
	}
	return mutate.ConfigFile(img, cf)
}

func baseLayer() (v1.Layer, error) {
	l := newLayer()
	l.dir("/tmp", 0o1777)
	l.file("/etc/passwd", 0o644, []byte("root:x:0:0:root:/root:/sbin/nologin\nnobody:x:65534:65534:nobody:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n"))
	l.file("/etc/group", 0o644, []byte("root:x:0:\nnogroup:x:65534:\nnonroot:x:65532:\n"))
	l.file("/etc/nsswitch.conf", 0o644, []byte("hosts: files dns\n"))
	certs, err := os.ReadFile(caCertificates)
	switch {
	case err == nil:
		l.file(caCertificates, 0o644, certs)
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	return l.close()
}

func fileLayer(files []File) (v1.Layer, error) {
	files = slices.SortedFunc(slices.Values(files), func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	l := newLayer()
	for _, f := range files {
		if !path.IsAbs(f.Path) || path.Clean(f.Path) != f.Path {
			return nil, fmt.Errorf("%q is not a clean absolute path", f.Path)
		}
		fi, err := os.Stat(f.Source)
		if err != nil {
			return nil, err
		}
		data, err := os.ReadFile(f.Source)
		if err != nil {
			return nil, err
		}
		l.file(f.Path, int64(fi.Mode().Perm()), data)
	}
	return l.close()
}

// layer is a tar archive with no trace of when and where it was made. It keeps the
// first error: writes to memory fail only for names that tar can't hold.
type layer struct {
	buf  bytes.Buffer
	tar  *tar.Writer
	seen map[string]bool
	err  error
}

func newLayer() *layer {
	l := &layer{seen: map[string]bool{"/": true}}
	l.tar = tar.NewWriter(&l.buf)
	return l
}

// dir adds a folder and those above it, once.
func (l *layer) dir(p string, mode int64) {
	if l.seen[p] {
		return
	}
	l.seen[p] = true
	l.dir(path.Dir(p), 0o755)
	l.header(&tar.Header{Typeflag: tar.TypeDir, Name: strings.TrimPrefix(p, "/") + "/", Mode: mode})
}

func (l *layer) file(p string, mode int64, data []byte) {
	l.dir(path.Dir(p), 0o755)
	l.header(&tar.Header{Typeflag: tar.TypeReg, Name: strings.TrimPrefix(p, "/"), Mode: mode, Size: int64(len(data))})
	if l.err == nil {
		_, l.err = l.tar.Write(data)
	}
}

func (l *layer) header(h *tar.Header) {
	h.ModTime, h.Format = time.Unix(0, 0), tar.FormatPAX
	if l.err == nil {
		l.err = l.tar.WriteHeader(h)
	}
}

// close returns the layer uncompressed: it goes from disk to disk on one machine.
func (l *layer) close() (v1.Layer, error) {
	if err := errors.Join(l.err, l.tar.Close()); err != nil {
		return nil, err
	}
	return static.NewLayer(l.buf.Bytes(), types.DockerUncompressedLayer), nil
}
