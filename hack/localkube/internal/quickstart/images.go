package quickstart

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/image"
	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/toolchain"
)

// localRegistry begins the images' names on a localkube; the sample names them so.
const localRegistry = "localhost/mesos-operator"

// versionVariable is where the linker puts the project's version.
const versionVariable = "github.com/mesos-operator/mesos-operator/internal/version.build"

// program is what is built, and packed into an image if it has a user.
type program struct {
	name, user string
	// beside are other programs in its image.
	beside []string
}

// programs make the same images as the Dockerfile.
var programs = []program{
	{name: "operator", user: image.NonRoot},
	{name: "masterd", user: image.NonRoot},
	{name: "agentd", user: "0:0", beside: []string{"executord"}}, // makes cgroups, mounts and namespaces on its node
	{name: "executord"},
	{name: "mesosctl"},
}

// files are those of its image.
func (p program) files() []string { return append([]string{p.name}, p.beside...) }

// images are the images that were made available to the cluster.
type images struct {
	// registry is what their names begin with.
	registry string
	// tags are digests of the binaries by program, so that a changed binary is rolled
	// out and an unchanged one is not.
	tags map[string]string
}

func (i images) reference(program string) string {
	return i.registry + "/" + program + ":" + i.tags[program]
}

// buildImages builds the programs and makes their images available to the cluster.
func (q Quickstart) buildImages(ctx context.Context, t target) (images, error) {
	made := images{registry: q.Registry, tags: map[string]string{}}
	if t.local {
		made.registry = localRegistry
	}
	if err := q.compile(ctx); err != nil {
		return made, err
	}
	for _, p := range programs {
		if p.user == "" {
			continue
		}
		digest, err := q.digest(p)
		if err != nil {
			return made, err
		}
		made.tags[p.name] = fmt.Sprintf("dev-%.6x", digest)
		if err := q.provide(ctx, t, q.spec(p, made)); err != nil {
			return made, err
		}
	}
	return made, nil
}

// digest is that of all programs of an image.
func (q Quickstart) digest(p program) ([]byte, error) {
	sum := sha256.New()
	for _, name := range p.files() {
		binary, err := os.ReadFile(q.bin(name))
		if err != nil {
			return nil, err
		}
		sum.Write(binary)
	}
	return sum.Sum(nil), nil
}

// compile builds all programs at once: one call of go costs a second even if there is
// nothing to do.
func (q Quickstart) compile(ctx context.Context) error {
	var names, packages []string
	for _, p := range programs {
		names, packages = append(names, p.name), append(packages, "./cmd/"+p.name)
	}
	return q.Log.Step(ctx, "building "+strings.Join(names, ", "), func(ctx context.Context, say func(string)) error {
		if err := os.MkdirAll(q.bin(""), 0o755); err != nil {
			return err
		}
		ldflags := "-s -w -X " + versionVariable + "=" + q.Version
		return toolchain.Compile(ctx, q.Config.RepoDir, q.bin("")+"/", ldflags, say, packages...)
	})
}

// provide loads the image into a localkube, or pushes it for any other cluster.
func (q Quickstart) provide(ctx context.Context, t target, s image.Spec) error {
	if !t.local {
		return q.Log.Step(ctx, "pushing "+s.Reference, func(ctx context.Context, _ func(string)) error {
			return image.Push(ctx, s)
		})
	}
	program, tag := path.Base(s.Entrypoint[0]), s.Reference[strings.LastIndexByte(s.Reference, ':')+1:]
	archive := filepath.Join(q.Config.CacheDir, "images", program+"-"+tag+".tar")
	if _, err := os.Stat(archive); errors.Is(err, fs.ErrNotExist) {
		if err := makeRoom(archive, program); err != nil {
			return err
		}
		if err := image.Write(archive, s); err != nil {
			return err
		}
	}
	return q.Load(ctx, archive)
}

// spec also tags a local image "dev", which is how the sample names it to a user
// who applies it by hand.
func (q Quickstart) spec(p program, made images) image.Spec {
	var files []image.File
	for _, name := range p.files() {
		files = append(files, image.File{Path: "/" + name, Source: q.bin(name)})
	}
	return image.Spec{
		Reference:  made.reference(p.name),
		Aliases:    []string{made.registry + "/" + p.name + ":dev"},
		Entrypoint: []string{"/" + p.name},
		User:       p.user,
		Files:      files,
		Labels: map[string]string{
			"org.opencontainers.image.title":    p.name,
			"org.opencontainers.image.version":  q.Version,
			"org.opencontainers.image.licenses": "Apache-2.0",
		},
	}
}

// makeRoom removes the archives of older builds of the program.
func makeRoom(archive, program string) error {
	if err := os.MkdirAll(filepath.Dir(archive), 0o755); err != nil {
		return err
	}
	old, err := filepath.Glob(filepath.Join(filepath.Dir(archive), program+"-dev-*.tar"))
	for _, f := range old {
		err = errors.Join(err, os.Remove(f))
	}
	return err
}

var sampleImage = regexp.MustCompile(regexp.QuoteMeta(localRegistry) + `/([a-z]+):dev\b`)

// into replaces the sample's images by those that were built.
func (i images) into(manifest string) string {
	return sampleImage.ReplaceAllStringFunc(manifest, func(found string) string {
		program := sampleImage.FindStringSubmatch(found)[1]
		if i.tags[program] == "" {
			return found
		}
		return i.reference(program)
	})
}
