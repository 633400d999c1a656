package docker

import (
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/provisioner/store"
)

// Reference is the name of an image.
type Reference struct {
	// Registry is its host, perhaps with a port; empty for the agent's default.
	Registry string
	// Repository is the path in the registry.
	Repository string
	// Tag and Digest may both be there: then the digest counts.
	Tag, Digest string
}

// ParseReference reads [registry[:port]/]repository[:tag][@digest]. What is before the
// first slash is a registry if it has a dot or a colon, or is "localhost".
func ParseReference(s string) (Reference, error) {
	var r Reference
	rest, digest, ok := strings.Cut(s, "@")
	if ok {
		if strings.Contains(digest, "@") {
			return r, fmt.Errorf("%w: reference %q: multiple '@' symbols", store.ErrInvalid, s)
		}
		r.Digest = digest
	}
	if i := strings.LastIndexByte(rest, ':'); i >= 0 && !strings.Contains(rest[i+1:], "/") {
		rest, r.Tag = rest[:i], rest[i+1:]
	}
	first, path, ok := strings.Cut(rest, "/")
	if ok && (strings.ContainsAny(first, ".:") || first == "localhost") {
		r.Registry, r.Repository = first, path
	} else {
		r.Repository = rest
	}
	return r, nil
}

// String is the canonical form, by which images are kept: without the tag if there is
// a digest.
func (r Reference) String() string {
	out := r.Repository
	if r.Registry != "" {
		out = r.Registry + "/" + out
	}
	switch {
	case r.Digest != "":
		return out + "@" + r.Digest
	case r.Tag != "":
		return out + ":" + r.Tag
	}
	return out
}

// endpoint is where a registry is.
type endpoint struct {
	scheme string
	// host may have a port.
	host string
}

// registryEndpoint tells how to speak to a registry that a reference names.
func registryEndpoint(registry string) (endpoint, error) {
	host, text, ok := strings.Cut(registry, ":")
	if !ok {
		return endpoint{"https", registry}, nil
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return endpoint{}, fmt.Errorf("%w: registry %q: port %q is no number", store.ErrInvalid, registry, text)
	}
	switch {
	case port == 443:
		return endpoint{"https", registry}, nil
	case port == 80, host == "localhost", host == "127.0.0.1":
		return endpoint{"http", registry}, nil
	}
	return endpoint{"https", registry}, nil
}

// hostname is an endpoint's host without the port.
func (e endpoint) hostname() string {
	if host, _, err := net.SplitHostPort(e.host); err == nil {
		return host
	}
	return e.host
}

// dockerHub is part of the name of every host of Docker's own registry.
const dockerHub = "docker.io"

// repositories are the names that a registry takes, as the OCI distribution
// specification has them.
var repositories = sync.OnceValue(func() *regexp.Regexp { // not before it is needed: executors are this program too
	return regexp.MustCompile(`^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$`)
})

// locate completes a reference to what a registry understands.
func (r Reference) locate(standard endpoint) (endpoint, name.Reference, error) {
	at := standard
	if r.Registry != "" {
		var err error
		if at, err = registryEndpoint(r.Registry); err != nil {
			return at, nil, err
		}
	}
	path := r.Repository
	if !repositories().MatchString(path) {
		return at, nil, fmt.Errorf("%w: repository %q: want lower case letters, digits and separators between them", store.ErrInvalid, path)
	}
	if strings.Contains(at.host, dockerHub) && !strings.Contains(path, "/") {
		path = "library/" + path // where Docker's registry has those without an owner
	}
	var options []name.Option
	if at.scheme == "http" {
		options = append(options, name.Insecure)
	}
	registry, err := name.NewRegistry(at.host, options...)
	if err != nil {
		return at, nil, fmt.Errorf("%w: %w", store.ErrInvalid, err)
	}
	repository := registry.Repo(path)
	if r.Digest != "" {
		if _, err := name.NewDigest("registry.invalid/x@" + r.Digest); err != nil {
			return at, nil, fmt.Errorf("%w: %w", store.ErrInvalid, err)
		}
		return at, repository.Digest(r.Digest), nil
	}
	tag := r.Tag
	if tag == "" {
		tag = name.DefaultTag
	}
	if _, err := name.NewTag("registry.invalid/x:" + tag); err != nil {
		return at, nil, fmt.Errorf("%w: %w", store.ErrInvalid, err)
	}
	return at, repository.Tag(tag), nil
}
