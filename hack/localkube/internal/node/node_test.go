package node

import (
	"encoding/json"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/config"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the golden files")

func testSpec() Spec {
	c := config.Default()
	c.RunDir = "/run/test"
	return Spec{Config: c, Node: c.Node(2), Programs: "/cache/kubernetes"}
}

// TestFiles compares every file of a node with testdata/etc.
func TestFiles(t *testing.T) {
	got, err := testSpec().files(facts{
		resolvers: []netip.Addr{netip.MustParseAddr("192.0.2.53")},
		memory:    8 << 30, openFiles: 20000, overlay: true,
		ca: []byte("CA\n"), cert: []byte("CERT\n"), key: []byte("KEY\n"),
		kubeletConfig: []byte("KUBELET\n"), proxyConfig: []byte("PROXY\n"),
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range got {
		golden := filepath.Join("testdata/etc", name)
		if *rewrite {
			if err := os.MkdirAll(filepath.Dir(golden), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(golden, content, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(string(want), string(content)); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

func TestKeysAreNotReadableByAll(t *testing.T) {
	files, err := testSpec().files(facts{})
	if err != nil {
		t.Fatal(err)
	}
	for name := range files {
		if strings.Contains(name, "kube") && !strings.HasPrefix(name, "cni/") && mode(name) != 0o600 {
			t.Errorf("%s has mode %o", name, mode(name))
		}
	}
}

func TestNoOverlayOnAnOverlay(t *testing.T) {
	if got := containerd(facts{overlay: false}); !strings.Contains(got, `snapshotter = "native"`) {
		t.Errorf("want the native snapshotter:\n%s", got)
	}
}

func TestReserved(t *testing.T) {
	const gi = 1 << 30
	for memory, want := range map[uint64]string{4 * gi: "1024Mi", 24 * gi: "4096Mi"} {
		if got := reserved(memory)["memory"]; got != want {
			t.Errorf("reserved of %d GiB: %v, want %s", memory/gi, got, want)
		}
	}
}

func TestParseResolvers(t *testing.T) {
	tests := map[string]struct {
		conf string
		want string
	}{
		"plain":                        {"search example.com\nnameserver 192.0.2.1\n", "192.0.2.1"},
		"loopback can't be reached":    {"nameserver 127.0.0.53\nnameserver 192.0.2.1", "192.0.2.1"},
		"nodes have no IPv6":           {"nameserver 2001:db8::1\nnameserver 192.0.2.1", "192.0.2.1"},
		"three at most":                {"nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\nnameserver 192.0.2.4", "192.0.2.1 192.0.2.2 192.0.2.3"},
		"garbage is skipped":           {"nameserver\nnameserver x\n;nameserver 192.0.2.1", ""},
		"nothing, so CoreDNS forwards": {"", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, a := range parseResolvers(tt.conf) {
				got = append(got, a.String())
			}
			if s := strings.Join(got, " "); s != tt.want {
				t.Errorf("got %q, want %q", s, tt.want)
			}
		})
	}
}

func TestHierarchy(t *testing.T) {
	tests := map[string]string{
		"rw,nosuid,nodev,noexec,relatime,cpu,cpuacct":                     "cpu,cpuacct",
		"rw,relatime,xattr,release_agent=/lib/systemd/agent,name=systemd": "none,name=systemd",
		"rw,memory,clone_children":                                        "memory",
	}
	for in, want := range tests {
		if got := hierarchy(in); got != want {
			t.Errorf("hierarchy(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestCopyTree(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	write := func(dir, name, content string, mode os.FileMode) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), mode); err != nil {
			t.Fatal(err)
		}
	}
	write(from, "certs/a.crt", "A", 0o640)
	write(to, "certs/a.crt", "old", 0o640)
	if err := os.Symlink("a.crt", filepath.Join(from, "certs/link")); err != nil {
		t.Fatal(err)
	}
	if err := copyTree(from, to); err != nil {
		t.Fatal(err)
	}
	b, _ := os.ReadFile(filepath.Join(to, "certs/link")) // through the link
	if string(b) != "A" {
		t.Errorf("content %q, want the source's", b)
	}
	if target, _ := os.Readlink(filepath.Join(to, "certs/link")); target != "a.crt" {
		t.Errorf("link to %q, want it kept as it is", target)
	}
	if fi, _ := os.Stat(filepath.Join(to, "certs/a.crt")); fi.Mode().Perm() != 0o640 {
		t.Errorf("mode %v", fi.Mode())
	}
	if err := copyTree(filepath.Join(from, "none"), to); err != nil {
		t.Errorf("a missing source: %v, want no error", err)
	}
}

func TestSpecSurvivesItsFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "spec.json")
	b, err := json.Marshal(testSpec())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := readSpec(path)
	if err != nil || got != testSpec() {
		t.Errorf("readSpec() = %+v, %v", got, err)
	}
}

// TestNothingSecretIsCopied guards the list against a folder that holds keys.
func TestNothingSecretIsCopied(t *testing.T) {
	for _, secret := range []string{"shadow", "gshadow", "ssl", "ssl/private", "ssh", "kubernetes", "sudoers"} {
		if slices.Contains(hostEtc, secret) {
			t.Errorf("/etc/%s is copied into nodes", secret)
		}
	}
}
