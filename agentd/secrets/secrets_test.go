package secrets

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/kubeapi"
)

func value(text string) *mesos.Secret {
	return &mesos.Secret{Type: mesos.Secret_VALUE.Enum(), Value: &mesos.Secret_Value{Data: []byte(text)}}
}

func reference(name string, key ...string) *mesos.Secret {
	r := &mesos.Secret_Reference{Name: &name}
	if len(key) > 0 {
		r.Key = &key[0]
	}
	return &mesos.Secret{Type: mesos.Secret_REFERENCE.Enum(), Reference: r}
}

// check resolves secrets; want is the value, or the error.
func check(t *testing.T, resolve Resolver, s *mesos.Secret, want any) {
	t.Helper()
	got, err := resolve(t.Context(), s)
	switch want := want.(type) {
	case string:
		if err != nil || string(got) != want {
			t.Errorf("%v is %q, %v; want %q", s.GetReference(), got, err, want)
		}
	case error:
		if !errors.Is(err, want) {
			t.Errorf("%v: error %v, want %v", s.GetReference(), err, want)
		}
	default:
		if err == nil {
			t.Errorf("%v is %q, want an error", s.GetReference(), got)
		}
	}
}

func TestValues(t *testing.T) {
	check(t, Values, value("x"), "x")
	check(t, Values, reference("a", "b"), ErrReference)
	check(t, Values, &mesos.Secret{}, ErrInvalid)
	check(t, Values, &mesos.Secret{Type: mesos.Secret_VALUE.Enum()}, ErrInvalid)
	check(t, Values, &mesos.Secret{Reference: &mesos.Secret_Reference{Name: new("a")}, Value: &mesos.Secret_Value{}}, ErrReference)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestDirectory(t *testing.T) {
	base := t.TempDir()
	dir := filepath.Join(base, "secrets")
	must(t, os.MkdirAll(filepath.Join(dir, "db"), 0o700))
	must(t, os.WriteFile(filepath.Join(dir, "db", "password"), []byte("s3cret\n"), 0o400))
	must(t, os.WriteFile(filepath.Join(dir, "token"), []byte{0, 1}, 0o400))
	must(t, os.WriteFile(filepath.Join(base, "outside"), []byte("no"), 0o400))
	must(t, os.WriteFile(filepath.Join(dir, "large"), make([]byte, maxSize+1), 0o400))
	// As the kubelet mounts a Secret.
	must(t, os.MkdirAll(filepath.Join(dir, "mounted", "..2026"), 0o700))
	must(t, os.WriteFile(filepath.Join(dir, "mounted", "..2026", "key"), []byte("m"), 0o400))
	must(t, os.Symlink("..2026", filepath.Join(dir, "mounted", "..data")))
	must(t, os.Symlink("..data/key", filepath.Join(dir, "mounted", "key")))
	must(t, os.Symlink("../outside", filepath.Join(dir, "link")))
	must(t, os.Symlink(base, filepath.Join(dir, "away")))
	must(t, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600))
	resolve, err := Directory(dir)
	must(t, err)
	for name, tt := range map[string]struct {
		secret *mesos.Secret
		want   any
	}{
		"value":         {value("x"), "x"},
		"key":           {reference("db", "password"), "s3cret\n"},
		"no key":        {reference("token"), "\x00\x01"},
		"mounted":       {reference("mounted", "key"), "m"},
		"nothing":       {reference("none"), ErrNotFound},
		"no such key":   {reference("db", "user"), ErrNotFound},
		"a directory":   {reference("db"), ErrNotFound},
		"a pipe":        {reference("pipe"), ErrNotFound},
		"too large":     {reference("large"), nil},
		"link":          {reference("link"), nil},
		"linked away":   {reference("away", "outside"), nil},
		"up":            {reference("..", "outside"), ErrInvalid},
		"up by the key": {reference("db", ".."), ErrInvalid},
		"path":          {reference("db/password"), ErrInvalid},
		"path in a key": {reference("db", "../token"), ErrInvalid},
		"empty name":    {reference(""), ErrInvalid},
		"empty key":     {reference("db", ""), ErrInvalid},
		"hidden":        {reference("mounted", "..data"), ErrInvalid},
		"long":          {reference(strings.Repeat("a", 254)), ErrInvalid},
		"longest":       {reference("Z_.-9" + strings.Repeat("a", 248)), ErrNotFound},
		"an option":     {reference("-db"), ErrInvalid},
		"not ASCII":     {reference("dé"), ErrInvalid},
		"null":          {reference("db\x00"), ErrInvalid},
		"no reference":  {&mesos.Secret{Type: mesos.Secret_REFERENCE.Enum()}, ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) { check(t, resolve, tt.secret, tt.want) })
	}
	must(t, os.WriteFile(filepath.Join(dir, "late"), []byte("new"), 0o400))
	check(t, resolve, reference("late"), "new")

	must(t, os.Chmod(dir, 0o777))
	for _, bad := range []string{dir, "relative", filepath.Join(base, "none"), filepath.Join(base, "outside")} {
		if _, err := Directory(bad); err == nil {
			t.Errorf("%s is accepted", bad)
		}
	}
}

func TestKubernetes(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch path := r.URL.Path; {
		case r.Header.Get("Authorization") != "Bearer mine":
			w.WriteHeader(http.StatusUnauthorized)
		case path == "/api/v1/namespaces/mesos/secrets/db":
			_, _ = w.Write([]byte(`{"kind":"Secret","data":{"user":"cm9vdA==","password":"czNjcmV0"}}`))
		case path == "/api/v1/namespaces/mesos/secrets/one":
			_, _ = w.Write([]byte(`{"kind":"Secret","data":{"any":"MQ=="}}`))
		case path == "/api/v1/namespaces/mesos/secrets/others":
			w.WriteHeader(http.StatusForbidden)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer server.Close()
	token := filepath.Join(t.TempDir(), "token")
	must(t, os.WriteFile(token, []byte("mine\n"), 0o600))
	api, err := kubeapi.New(kubeapi.Config{Server: server.URL, TokenFile: token})
	must(t, err)
	resolve := Kubernetes(api, "mesos")
	check(t, resolve, value("x"), "x")
	check(t, resolve, reference("db", "password"), "s3cret")
	check(t, resolve, reference("db", "none"), ErrNotFound)
	check(t, resolve, reference("db"), ErrInvalid)
	check(t, resolve, reference("one"), "1")
	check(t, resolve, reference("none", "a"), ErrNotFound)
	check(t, resolve, reference("others", "a"), nil)
	check(t, resolve, reference("../pods", "a"), ErrInvalid)
}
