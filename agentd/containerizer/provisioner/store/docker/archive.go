package docker

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/provisioner/store"
)

// archives gets images from files in a directory that are named as the image, with
// ".tar" after it.
type archives struct{ dir string }

func (*archives) rest() {}

func (a *archives) image(_ context.Context, r Reference, _ Credentials) (v1.Image, error) {
	file := r.String() + ".tar"
	if !filepath.IsLocal(file) {
		return nil, fmt.Errorf("%w: %q is no name of a file", store.ErrInvalid, file)
	}
	file = filepath.Join(a.dir, file)
	names, err := indexOf(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: no archive %s", store.ErrNotFound, file)
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", file, err)
	}
	if !names["manifest.json"] {
		return legacyImage(file, r)
	}
	path := r.Repository
	if r.Registry != "" {
		path = r.Registry + "/" + path
	}
	tag, err := name.NewTag(path+":"+r.tag(), name.WeakValidation)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", store.ErrInvalid, err)
	}
	image, err := tarball.ImageFromPath(file, &tag)
	if err != nil && r.Registry != "" { // some archives have the name without it
		if tag, err = name.NewTag(r.Repository+":"+r.tag(), name.WeakValidation); err == nil {
			image, err = tarball.ImageFromPath(file, &tag)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%w: reading %s: %w", store.ErrNotFound, file, err)
	}
	return image, nil
}

// tag is the tag that is meant.
func (r Reference) tag() string {
	if r.Tag == "" {
		return name.DefaultTag
	}
	return r.Tag
}

// indexOf lists what is in an archive.
func indexOf(file string) (map[string]bool, error) {
	names := map[string]bool{}
	err := walk(file, func(h *tar.Header, _ io.Reader) error {
		names[h.Name] = true
		return nil
	})
	return names, err
}

// maxArchiveEntries bounds an archive of an image: three files a layer.
const maxArchiveEntries = 1 << 14

func walk(file string, visit func(*tar.Header, io.Reader) error) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	in := tar.NewReader(f)
	for range maxArchiveEntries {
		h, err := in.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		h.Name = strings.TrimPrefix(h.Name, "./")
		if err := visit(h, in); err != nil {
			return err
		}
	}
	return errors.New("too many entries")
}

// maxJSON bounds descriptions in archives.
const maxJSON = 8 << 20

// legacyImage reads an archive as Docker wrote them before 1.10: "repositories" names the
// topmost layer of each tag, and in each layer's directory "json" names its parent.
func legacyImage(file string, r Reference) (v1.Image, error) {
	var repositories map[string]map[string]string
	descriptions := map[string]legacyLayer{}
	err := walk(file, func(h *tar.Header, in io.Reader) error {
		dir, base := filepath.Split(h.Name)
		switch {
		case h.Name == "repositories":
			return decode(in, &repositories)
		case base == "json" && dir != "":
			var l legacyLayer
			err := decode(in, &l)
			descriptions[filepath.Clean(dir)] = l
			return err
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%w: reading %s: %w", store.ErrInvalid, file, err)
	}
	tags, ok := repositories[r.Repository]
	if !ok && r.Registry != "" {
		tags = repositories[r.Registry+"/"+r.Repository]
	}
	top := tags[r.tag()]
	if top == "" {
		return nil, fmt.Errorf("%w: %s has no %s with tag %s", store.ErrNotFound, file, r.Repository, r.tag())
	}
	return legacyImageOf(file, top, descriptions)
}

// legacyLayer is the description of a layer. That of the topmost is that of the image.
type legacyLayer struct {
	Parent string     `json:"parent"`
	Config *v1.Config `json:"config"`
}

func legacyImageOf(file, top string, descriptions map[string]legacyLayer) (v1.Image, error) {
	var layers []v1.Layer
	for id := top; id != ""; id = descriptions[id].Parent {
		if _, ok := descriptions[id]; !ok || len(layers) > len(descriptions) {
			return nil, fmt.Errorf("%w: %s has no description of layer %q", store.ErrInvalid, file, id)
		}
		l, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return openEntry(file, id+"/layer.tar") })
		if err != nil {
			return nil, fmt.Errorf("%w: reading layer %s of %s: %w", store.ErrInvalid, id, file, err)
		}
		layers = append([]v1.Layer{l}, layers...)
	}
	image, err := mutate.AppendLayers(empty.Image, layers...)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", store.ErrInvalid, err)
	}
	if c := descriptions[top].Config; c != nil {
		if image, err = mutate.Config(image, *c); err != nil {
			return nil, fmt.Errorf("%w: %w", store.ErrInvalid, err)
		}
	}
	return image, nil
}

func decode(in io.Reader, out any) error {
	return json.NewDecoder(io.LimitReader(in, maxJSON)).Decode(out)
}

// openEntry opens one file of an archive.
func openEntry(file, entry string) (io.ReadCloser, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	in := tar.NewReader(f)
	for range maxArchiveEntries {
		h, err := in.Next()
		if err != nil {
			f.Close()
			return nil, fmt.Errorf("looking for %s: %w", entry, err)
		}
		if strings.TrimPrefix(h.Name, "./") == entry {
			return struct {
				io.Reader
				io.Closer
			}{in, f}, nil
		}
	}
	f.Close()
	return nil, fmt.Errorf("looking for %s: %w", entry, fs.ErrNotExist)
}
