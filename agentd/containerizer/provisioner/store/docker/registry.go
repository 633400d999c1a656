package docker

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"runtime"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	registrytransport "github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/provisioner/store"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/provisioner/store/stall"
	"github.com/mesos-operator/mesos-operator/internal/version"
)

// source is where images come from.
type source interface {
	// image describes an image; its layers are read when they are asked for.
	image(ctx context.Context, r Reference, credentials Credentials) (v1.Image, error)
	// rest lets go of connections: nothing is being pulled.
	rest()
}

// newSource reads --docker_registry: the URL of a registry, or a directory of archives.
func newSource(cfg Config) (source, error) {
	where := cfg.Registry
	if dir, ok := strings.CutPrefix(where, "file://"); ok {
		where = dir
	}
	if strings.HasPrefix(where, "/") {
		return &archives{dir: where}, nil
	}
	u, err := url.Parse(where)
	switch {
	case err == nil && u.Scheme == "hdfs":
		return nil, fmt.Errorf("docker registry %q: archives in HDFS are not supported; copy them to a directory", where)
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return nil, fmt.Errorf("docker registry %q: want https://host[:port], http://host[:port], or a directory of archives", where)
	}
	base := cfg.Transport
	if base == nil {
		base = http.DefaultTransport.(*http.Transport).Clone()
	}
	return &registry{standard: endpoint{u.Scheme, u.Host}, client: http.Client{Transport: base}, base: &stall.Transport{Base: base, After: cfg.StallTimeout}, credentials: cfg.Credentials}, nil
}

// registry gets images from registries.
type registry struct {
	standard    endpoint
	client      http.Client // of base as it was given
	base        http.RoundTripper
	credentials Credentials
}

func (g *registry) rest() { g.client.CloseIdleConnections() }

func (g *registry) image(ctx context.Context, r Reference, credentials Credentials) (v1.Image, error) {
	at, ref, err := r.locate(g.standard)
	if err != nil {
		return nil, err
	}
	descriptor, err := remote.Get(ref,
		remote.WithContext(ctx),
		remote.WithAuth(authenticator(at, credentials, g.credentials)),
		remote.WithTransport(&transport{base: g.base, at: at}),
		remote.WithPlatform(v1.Platform{OS: "linux", Architecture: runtime.GOARCH}),
		remote.WithUserAgent("mesos-agent/"+version.Mesos),
	)
	if err != nil {
		return nil, explain(err)
	}
	image, err := descriptor.Image()
	if err != nil {
		return nil, explain(err)
	}
	return image, nil
}

// explain tells what is not there from what failed.
func explain(err error) error {
	if e, ok := errors.AsType[*registrytransport.Error](err); ok && e.StatusCode == http.StatusNotFound {
		return fmt.Errorf("%w: %w", store.ErrNotFound, err)
	}
	return err
}
