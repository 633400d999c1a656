package pki

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func open(t *testing.T, dir string) *Authority {
	t.Helper()
	a, err := Open(dir, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestMutualTLS has a server and a client of one authority talk, which proves
// usages, names and chain at once.
func TestMutualTLS(t *testing.T) {
	a := open(t, t.TempDir())
	must(t, a.Issue("server", Identity{Name: "kube-apiserver", Addrs: []netip.Addr{netip.MustParseAddr("127.0.0.1")}}))
	must(t, a.Issue("client", Identity{Name: "admin", Groups: []string{"system:masters"}}))

	ca := x509.NewCertPool()
	ca.AddCert(a.cert)
	var seen string
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		subject := r.TLS.PeerCertificates[0].Subject
		seen = subject.CommonName + "/" + subject.Organization[0]
	}))
	s.TLS = &tls.Config{Certificates: pair(t, a, "server"), ClientCAs: ca, ClientAuth: tls.RequireAndVerifyClientCert}
	s.StartTLS()
	defer s.Close()

	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca, Certificates: pair(t, a, "client")}}}
	resp, err := client.Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if seen != "admin/system:masters" {
		t.Errorf("server saw client %q", seen)
	}
}

func pair(t *testing.T, a *Authority, name string) []tls.Certificate {
	t.Helper()
	c, err := tls.LoadX509KeyPair(a.CertFile(name), a.KeyFile(name))
	if err != nil {
		t.Fatal(err)
	}
	return []tls.Certificate{c}
}

func TestASecondRunChangesNothing(t *testing.T) {
	dir := t.TempDir()
	makeAll := func() map[string]string {
		a := open(t, dir)
		must(t, a.Issue("etcd", Identity{Name: "etcd"}))
		if _, _, err := a.SigningKey("sa"); err != nil {
			t.Fatal(err)
		}
		files := map[string]string{}
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			b, _ := os.ReadFile(filepath.Join(dir, e.Name()))
			files[e.Name()] = string(b)
		}
		return files
	}
	first, second := makeAll(), makeAll()
	if len(first) != 6 {
		t.Errorf("%d files, want a key and a certificate for ca and etcd, and the signing pair", len(first))
	}
	for name, content := range first {
		if second[name] != content {
			t.Errorf("%s changed", name)
		}
	}
}

func TestPrivateKeysAreTheOwners(t *testing.T) {
	a := open(t, t.TempDir())
	private, _, err := a.SigningKey("sa")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{a.KeyFile("ca"), private} {
		fi, err := os.Stat(f)
		if err != nil || fi.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v; want 0600", f, fi.Mode(), err)
		}
	}
}

func TestABrokenAuthorityIsReported(t *testing.T) {
	dir := t.TempDir()
	open(t, dir)
	must(t, os.WriteFile(filepath.Join(dir, "ca.crt"), []byte("garbage"), 0o600))
	if _, err := Open(dir, time.Now()); err == nil {
		t.Error("no error for a certificate that is none")
	}
}

func TestKubeconfig(t *testing.T) {
	a := open(t, t.TempDir())
	must(t, a.Issue("admin", Identity{Name: "admin"}))
	path := filepath.Join(t.TempDir(), "kubeconfig")
	must(t, a.Kubeconfig(path, "https://10.99.0.1:6443", "admin"))
	b, _ := os.ReadFile(path)
	var doc struct {
		Clusters []struct {
			Cluster struct {
				Server string
				CA     []byte `json:"certificate-authority-data"`
			}
		}
		Users []struct {
			User struct {
				Cert []byte `json:"client-certificate-data"`
				Key  []byte `json:"client-key-data"`
			}
		}
	}
	must(t, json.Unmarshal(b, &doc))
	if got := doc.Clusters[0].Cluster.Server; got != "https://10.99.0.1:6443" {
		t.Errorf("server %q", got)
	}
	if _, err := tls.X509KeyPair(doc.Users[0].User.Cert, doc.Users[0].User.Key); err != nil {
		t.Errorf("the user's key pair: %v", err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
