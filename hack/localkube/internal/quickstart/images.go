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

// programs are what is built; those with a user are packed into images. The same
// images as the Dockerfile's.
var programs = []struct{ name, user string }{
	{"operator", image.NonRoot},
	{"masterd", image.NonRoot},
	{"agentd", "0:0"}, // makes cgroups, mounts and namespaces on its node
	{"mesosctl", ""},
}

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
		binary, err := os.ReadFile(q.bin(p.name))
		if err != nil {
			return made, err
		}
		made.tags[p.name] = fmt.Sprintf("dev-%.6x", sha256.Sum256(binary))
		if err := q.provide(ctx, t, q.spec(p.name, p.user, made)); err != nil {
			return made, err
		}
	}
	return made, nil
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
func (q Quickstart) spec(program, user string, made images) image.Spec {
	return image.Spec{
		Reference:  made.reference(program),
		Aliases:    []string{made.registry + "/" + program + ":dev"},
		Entrypoint: []string{"/" + program},
		User:       user,
		Files:      []image.File{{Path: "/" + program, Source: q.bin(program)}},
		Labels: map[string]string{
			"org.opencontainers.image.title":    program,
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
