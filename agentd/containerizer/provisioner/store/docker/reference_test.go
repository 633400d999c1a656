package docker

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/provisioner/store"
)

const aDigest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func TestParseReference(t *testing.T) {
	tests := map[string]struct {
		want      Reference
		canonical string
	}{
		"alpine":                     {Reference{Repository: "alpine"}, "alpine"},
		"alpine:3.20":                {Reference{Repository: "alpine", Tag: "3.20"}, "alpine:3.20"},
		"team/tool":                  {Reference{Repository: "team/tool"}, "team/tool"},
		"team/tool:v1":               {Reference{Repository: "team/tool", Tag: "v1"}, "team/tool:v1"},
		"team/tool@" + aDigest:       {Reference{Repository: "team/tool", Digest: aDigest}, "team/tool@" + aDigest},
		"tool:v1@" + aDigest:         {Reference{Repository: "tool", Tag: "v1", Digest: aDigest}, "tool@" + aDigest},
		"quay.io/team/tool":          {Reference{Registry: "quay.io", Repository: "team/tool"}, "quay.io/team/tool"},
		"quay.io:80/team/tool:v1":    {Reference{Registry: "quay.io:80", Repository: "team/tool", Tag: "v1"}, "quay.io:80/team/tool:v1"},
		"quay.io:80/tool@" + aDigest: {Reference{Registry: "quay.io:80", Repository: "tool", Digest: aDigest}, "quay.io:80/tool@" + aDigest},
		"localhost/tool":             {Reference{Registry: "localhost", Repository: "tool"}, "localhost/tool"},
		"localhost:5000/tool":        {Reference{Registry: "localhost:5000", Repository: "tool"}, "localhost:5000/tool"},
		"registry:5000/a/b/c:t":      {Reference{Registry: "registry:5000", Repository: "a/b/c", Tag: "t"}, "registry:5000/a/b/c:t"},
		"a/b:5000/c":                 {Reference{Repository: "a/b:5000/c"}, "a/b:5000/c"},
		"":                           {Reference{}, ""},
	}
	for in, tt := range tests {
		t.Run(in, func(t *testing.T) {
			got, err := ParseReference(in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			if got.String() != tt.canonical {
				t.Errorf("canonical %q, want %q", got, tt.canonical)
			}
		})
	}
	if _, err := ParseReference("a@b@c"); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("two digests: %v", err)
	}
}

func TestRegistryEndpoint(t *testing.T) {
	tests := map[string]string{
		"":               "https",
		"quay.io":        "https",
		"quay.io:443":    "https",
		"quay.io:5000":   "https",
		"quay.io:80":     "http",
		"localhost":      "https",
		"localhost:443":  "https",
		"localhost:5000": "http",
		"127.0.0.1:5000": "http",
		"127.0.0.1:443":  "https",
		"10.1.2.3:5000":  "https",
		":":              "",
		"quay.io:x80":    "",
		"quay.io:80:80":  "",
	}
	for in, scheme := range tests {
		t.Run(in, func(t *testing.T) {
			got, err := registryEndpoint(in)
			if (err != nil) != (scheme == "") || got.scheme != scheme {
				t.Errorf("got %+v, error %v, want %q", got, err, scheme)
			}
		})
	}
}

func TestLocate(t *testing.T) {
	hub := endpoint{"https", "registry-1.docker.io"}
	tests := map[string]struct {
		standard endpoint
		want     string // "" is an error
	}{
		"alpine":                  {hub, "registry-1.docker.io/library/alpine:latest"},
		"team/tool:v1":            {hub, "registry-1.docker.io/team/tool:v1"},
		"docker.io/alpine":        {hub, "index.docker.io/library/alpine:latest"},
		"tool":                    {endpoint{"http", "mirror:5000"}, "mirror:5000/tool:latest"},
		"quay.io/tool@" + aDigest: {hub, "quay.io/tool@" + aDigest},
		"":                        {hub, ""},
		"UPPER":                   {hub, ""},
		"tool:":                   {hub, "registry-1.docker.io/library/tool:latest"},
		"tool@sha256:abc":         {hub, ""},
		"quay.io:x/tool":          {hub, ""},
		"../../etc":               {hub, ""},
	}
	for in, tt := range tests {
		t.Run(in, func(t *testing.T) {
			r, err := ParseReference(in)
			if err != nil {
				t.Fatal(err)
			}
			_, ref, err := r.locate(tt.standard)
			if tt.want == "" {
				if !errors.Is(err, store.ErrInvalid) {
					t.Errorf("got %v, error %v", ref, err)
				}
				return
			}
			if err != nil || ref.Name() != tt.want {
				t.Errorf("got %v, error %v, want %s", ref, err, tt.want)
			}
		})
	}
}

// A name is read as it is written: what was read and written again means the same.
func FuzzParseReference(f *testing.F) {
	for _, s := range []string{"alpine", "localhost:5000/a/b:c@" + aDigest, "a:b:c", "//", "@", ":", "a/:b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ParseReference(s)
		if err != nil {
			return
		}
		if _, ref, err := r.locate(endpoint{"https", "registry-1.docker.io"}); err == nil && ref.Context().RegistryStr() == "" {
			t.Errorf("%q is in no registry", s)
		}
		again, err := ParseReference(r.String())
		if err == nil && again.String() != r.String() {
			t.Errorf("%q became %q became %q", s, r, again)
		}
	})
}
