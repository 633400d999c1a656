package images

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// Registry is a registry in this process.
type Registry struct {
	*httptest.Server
	// Host is its name for references: an address with a port.
	Host string
	// Before, if set, sees every request; one that it answers goes no further.
	Before func(w http.ResponseWriter, r *http.Request) (answered bool)

	user, password string
	token          bool

	mu    sync.Mutex
	asked []string
}

// Option changes a registry.
type Option func(*Registry)

// Basic asks for a user and a password.
func Basic(user, password string) Option {
	return func(r *Registry) { r.user, r.password = user, password }
}

// Token has clients get a token first, for which they need a user and a password.
func Token(user, password string) Option {
	return func(r *Registry) { r.user, r.password, r.token = user, password, true }
}

// theToken is what such clients get.
const theToken = "a-token"

// NewRegistry starts a registry without TLS, which is one on the local machine that agents
// speak to like that.
func NewRegistry(t testing.TB, options ...Option) *Registry {
	return start(t, (*httptest.Server).Start, options)
}

// NewTLSRegistry starts a registry with TLS; its Client trusts it.
func NewTLSRegistry(t testing.TB, options ...Option) *Registry {
	return start(t, (*httptest.Server).StartTLS, options)
}

func start(t testing.TB, begin func(*httptest.Server), options []Option) *Registry {
	t.Helper()
	r := &Registry{}
	for _, o := range options {
		o(r)
	}
	inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	r.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		r.asked = append(r.asked, req.Method+" "+req.URL.Path)
		r.mu.Unlock()
		if r.Before != nil && r.Before(w, req) || !r.allow(w, req) {
			return
		}
		inner.ServeHTTP(w, req)
	}))
	r.Server.Config.ErrorLog = log.New(io.Discard, "", 0)
	begin(r.Server)
	t.Cleanup(r.Close)
	r.Host = r.Listener.Addr().String()
	return r
}

// allow answers those who may not, and those who want a token.
func (r *Registry) allow(w http.ResponseWriter, req *http.Request) bool {
	if r.user == "" {
		return true
	}
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(r.user+":"+r.password))
	got := req.Header.Get("Authorization")
	scheme, _, _ := strings.Cut(r.URL, "127.")
	switch {
	case r.token && req.URL.Path == "/token" && got == basic:
		_ = json.NewEncoder(w).Encode(map[string]string{"token": theToken})
		return false
	case r.token && got == "Bearer "+theToken, !r.token && got == basic:
		return true
	case r.token:
		w.Header().Set("WWW-Authenticate", `Bearer realm="`+scheme+req.Host+`/token",service="test"`)
	default:
		w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
	}
	w.WriteHeader(http.StatusUnauthorized)
	return false
}

// Push puts an image or an index of images into the registry, and returns the name for it.
func (r *Registry) Push(t testing.TB, repository string, what remote.Taggable) string {
	t.Helper()
	ref, err := name.ParseReference(r.Host+"/"+repository, name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	options := []remote.Option{remote.WithTransport(r.Client().Transport)}
	if r.user != "" {
		options = append(options, remote.WithAuth(&authn.Basic{Username: r.user, Password: r.password}))
	}
	switch what := what.(type) {
	case v1.ImageIndex:
		err = remote.WriteIndex(ref, what, options...)
	case v1.Image:
		err = remote.Write(ref, what, options...)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r.Host + "/" + repository
}

// Asked counts the requests whose method and path have a text in them, such as "GET /v2/a/blobs/".
func (r *Registry) Asked(what string) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range r.asked {
		if strings.Contains(a, what) {
			n++
		}
	}
	return n
}

// Config is a Docker configuration with the credentials for the registry.
func (r *Registry) Config() string {
	auth := base64.StdEncoding.EncodeToString([]byte(r.user + ":" + r.password))
	return `{"auths": {"https://` + r.Host + `/v2/": {"auth": "` + auth + `", "email": "somebody@example.com"}}}`
}

// Hang has the registry answer nothing. asked is closed when it is asked first, ended when
// that one gave up.
func (r *Registry) Hang() (asked, ended <-chan struct{}) {
	begin, end := make(chan struct{}), make(chan struct{})
	var once, last sync.Once
	r.Before = func(_ http.ResponseWriter, req *http.Request) bool {
		once.Do(func() { close(begin) })
		<-req.Context().Done()
		last.Do(func() { close(end) })
		return true
	}
	return begin, end
}
