package tlsconfig

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
)

// authority signs certificates.
type authority struct {
	t    *testing.T
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	file string
}

var serial int64

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, file: filepath.Join(t.TempDir(), "ca.pem")}
	var err error
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	serial++
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "CA"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	write(t, a.file, "CERTIFICATE", der)
	return a
}

func write(t *testing.T, file, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// issue writes a certificate and its key into a directory. Names that are IP
// addresses become such.
func (a *authority) issue(dir, common string, names ...string) {
	a.t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		a.t.Fatal(err)
	}
	serial++
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: common}, NotAfter: time.Now().Add(time.Hour),
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	write(a.t, filepath.Join(dir, "key.pem"), "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key))
	write(a.t, filepath.Join(dir, "cert.pem"), "CERTIFICATE", der)
}

// environment is one with a certificate; later pairs win.
func environment(dir, ca string, more ...string) Lookup {
	env := map[string]string{
		"LIBPROCESS_SSL_ENABLED": "true", "LIBPROCESS_SSL_CERT_FILE": filepath.Join(dir, "cert.pem"),
		"LIBPROCESS_SSL_KEY_FILE": filepath.Join(dir, "key.pem"), "LIBPROCESS_SSL_CA_FILE": ca,
	}
	for _, pair := range more {
		name, value, _ := strings.Cut(pair, "=")
		env["LIBPROCESS_SSL_"+name] = value
	}
	return func(name string) (string, bool) { v, ok := env[name]; return v, ok }
}

func source(t *testing.T, lookup Lookup) *Source {
	t.Helper()
	settings, err := FromEnvironment(lookup)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(settings, logr.Discard())
	if err != nil {
		t.Fatal(err)
	}
	s.reverse = func(context.Context, string) ([]string, error) { return nil, errors.New("no such name") }
	return s
}

// handshake lets a client talk to a server, and returns what went wrong.
func handshake(t *testing.T, server, client *Source, host string) error {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	served := make(chan error, 1)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			served <- err
			return
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(10 * time.Second))
		secured := tls.Server(conn, server.Server())
		if err = secured.Handshake(); err == nil {
			_, err = secured.Write([]byte("x"))
		}
		served <- err
	}()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	secured := tls.Client(conn, client.Client(host))
	_, err = io.ReadFull(secured, make([]byte, 1))
	conn.Close()
	return errors.Join(err, <-served)
}

func TestHandshakes(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	dir := func(a *authority, common string, names ...string) string {
		d := t.TempDir()
		a.issue(d, common, names...)
		return d
	}
	good := dir(ours, "node", "127.0.0.1", "node.example")
	foreign := dir(theirs, "node", "127.0.0.1", "node.example")
	onlyCommon := dir(ours, "node.example")
	otherName := dir(ours, "other", "other.example", "10.0.0.1")
	const openssl = "HOSTNAME_VALIDATION_SCHEME=openssl"
	for name, c := range map[string]struct {
		server, client       string
		serverEnv, clientEnv []string
		host                 string
		reverse              string // name of the peer in DNS
		ok                   bool
	}{
		"nothing is checked":          {server: foreign, client: good, ok: true},
		"a stranger's server":         {server: foreign, client: good, clientEnv: []string{"VERIFY_SERVER_CERT=true"}},
		"old name of the switch":      {server: foreign, client: good, clientEnv: []string{"VERIFY_CERT=1"}},
		"our server":                  {server: good, client: good, clientEnv: []string{"VERIFY_SERVER_CERT=true"}, ok: true},
		"legacy, no name in DNS":      {server: otherName, client: good, clientEnv: []string{"VERIFY_CERT=true"}, ok: true},
		"legacy, name in DNS":         {server: good, client: good, clientEnv: []string{"VERIFY_CERT=true"}, reverse: "node.example.", ok: true},
		"legacy, common name":         {server: onlyCommon, client: good, clientEnv: []string{"VERIFY_CERT=true"}, reverse: "node.example", ok: true},
		"legacy, another name":        {server: otherName, client: good, clientEnv: []string{"VERIFY_CERT=true"}, reverse: "node.example"},
		"legacy, IP address":          {server: good, client: good, clientEnv: []string{"VERIFY_CERT=true", "VERIFY_IPADD=true"}, ok: true},
		"legacy, another IP address":  {server: otherName, client: good, clientEnv: []string{"VERIFY_CERT=true", "VERIFY_IPADD=true"}},
		"openssl, IP address":         {server: good, client: good, clientEnv: []string{"VERIFY_CERT=true", openssl}, ok: true},
		"openssl, another IP address": {server: otherName, client: good, clientEnv: []string{"VERIFY_CERT=true", openssl}},
		"openssl, host":               {server: good, client: good, clientEnv: []string{"VERIFY_CERT=true", openssl}, host: "node.example", ok: true},
		"openssl, another host":       {server: otherName, client: good, clientEnv: []string{"VERIFY_CERT=true", openssl}, host: "node.example"},
		"client is asked":             {server: good, client: good, serverEnv: []string{"REQUIRE_CLIENT_CERT=true", openssl}, ok: true},
		"a stranger's client":         {server: good, client: foreign, serverEnv: []string{"REQUIRE_CLIENT_CERT=true", openssl}},
		"legacy, client without name": {server: good, client: good, serverEnv: []string{"REQUIRE_CERT=true"}},
		"legacy, client's IP address": {server: good, client: good, serverEnv: []string{"REQUIRE_CERT=true", "VERIFY_IPADD=1"}, ok: true},
		"only TLS 1.2":                {server: good, client: good, serverEnv: []string{"ENABLE_TLS_V1_3=false"}, ok: true},
		"no version in common":        {server: good, client: good, serverEnv: []string{"ENABLE_TLS_V1_2=0"}, clientEnv: []string{"ENABLE_TLS_V1_3=0"}},
		"Mesos's ciphers": {server: good, client: good, ok: true, clientEnv: []string{"ENABLE_TLS_V1_3=false",
			"CIPHERS=AES128-SHA:AES256-SHA:RC4-SHA:DHE-RSA-AES128-SHA:DHE-DSS-AES128-SHA:DHE-RSA-AES256-SHA:DHE-DSS-AES256-SHA"}},
		"no cipher in common": {server: good, client: good, serverEnv: []string{"ENABLE_TLS_V1_3=0", "CIPHERS=AES128-SHA"},
			clientEnv: []string{"CIPHERS=ECDHE-RSA-AES128-GCM-SHA256"}},
		"too deep": {server: good, client: good, clientEnv: []string{"VERIFY_CERT=true", "VERIFICATION_DEPTH=0"}},
	} {
		t.Run(name, func(t *testing.T) {
			server := source(t, environment(c.server, ours.file, c.serverEnv...))
			client := source(t, environment(c.client, ours.file, c.clientEnv...))
			if c.reverse != "" {
				client.reverse = func(context.Context, string) ([]string, error) { return []string{c.reverse}, nil }
			}
			host := c.host
			if host == "" {
				host = "127.0.0.1"
			}
			if err := handshake(t, server, client, host); (err == nil) != c.ok {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestAClientWithoutACertificateIsRefused(t *testing.T) {
	ours, dir := newAuthority(t), t.TempDir()
	ours.issue(dir, "node", "127.0.0.1")
	server := source(t, environment(dir, ours.file, "REQUIRE_CLIENT_CERT=true", "HOSTNAME_VALIDATION_SCHEME=openssl"))
	settings, err := FromEnvironment(environment(t.TempDir(), ours.file))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(settings, logr.Discard()); err == nil {
		t.Error("a server goes without a certificate")
	}
	client, err := OpenClient(settings, logr.Discard())
	if err != nil {
		t.Fatal(err)
	}
	if err := handshake(t, server, client, "127.0.0.1"); err == nil {
		t.Error("no error")
	}
}

func TestCertificatesAreReadAgain(t *testing.T) {
	old, next, dir := newAuthority(t), newAuthority(t), t.TempDir()
	old.issue(dir, "node", "127.0.0.1")
	server := source(t, environment(dir, old.file))
	client := source(t, environment(dir, next.file, "VERIFY_CERT=true"))
	if err := handshake(t, server, client, "127.0.0.1"); err == nil {
		t.Fatal("the old certificate is trusted")
	}
	// Half of a new pair must not stop the server.
	good, err := os.ReadFile(filepath.Join(dir, "cert.pem"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "cert.pem"), good[:len(good)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	server.looked = time.Time{}
	if got := server.material().certificate; got == nil {
		t.Fatal("the certificate is lost")
	}
	next.issue(dir, "node", "127.0.0.1")
	server.looked = time.Time{}
	if err := handshake(t, server, client, "127.0.0.1"); err != nil {
		t.Errorf("the new certificate is not in use: %v", err)
	}
}

func TestCADirectory(t *testing.T) {
	ours, dir, cas := newAuthority(t), t.TempDir(), t.TempDir()
	ours.issue(dir, "node", "127.0.0.1")
	pem, err := os.ReadFile(ours.file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(cas, "0a1b2c3d.0"), pem, 0o600); err != nil {
		t.Fatal(err)
	}
	s := source(t, environment(dir, "", "CA_DIR="+cas, "VERIFY_CERT=true"))
	if err := handshake(t, s, s, "127.0.0.1"); err != nil {
		t.Error(err)
	}
}

func TestTransport(t *testing.T) {
	ours, dir := newAuthority(t), t.TempDir()
	ours.issue(dir, "node", "127.0.0.1")
	s := source(t, environment(dir, ours.file, "VERIFY_CERT=true", "HOSTNAME_VALIDATION_SCHEME=openssl"))
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") }))
	server.TLS = s.Server()
	server.StartTLS()
	defer server.Close()
	transport := &http.Transport{}
	s.Transport(transport, nil)
	resp, err := (&http.Client{Transport: transport}).Get(s.Scheme() + "://" + server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	transport.CloseIdleConnections()
	var none *Source
	if none.Scheme() != "http" || none.Server() != nil || none.Client("x") != nil || none.AllowsPlain() || none.Variables(nil) != nil {
		t.Error("no TLS is some TLS")
	}
}

func TestEnvironment(t *testing.T) {
	lookup := func(pairs ...string) Lookup {
		return func(name string) (string, bool) {
			for _, pair := range pairs {
				if n, v, _ := strings.Cut(pair, "="); n == name {
					return v, true
				}
			}
			return "", false
		}
	}
	if s, err := FromEnvironment(lookup()); s != nil || err != nil {
		t.Errorf("nothing set: %v, %v", s, err)
	}
	s, err := FromEnvironment(lookup("SSL_ENABLED=1", "SSL_KEY_FILE=file:///k", "LIBPROCESS_SSL_CERT_FILE=/c", "SSL_CERT_FILE=/old",
		"LIBPROCESS_SSL_ECDH_CURVES=P-521:X25519", "LIBPROCESS_SSL_ENABLE_TLS_V1_1=true"))
	if err != nil {
		t.Fatal(err)
	}
	if s.CertFile != "/c" || s.KeyFile != "/k" || len(s.Curves) != 2 || s.MinVersion != tls.VersionTLS11 || s.MaxVersion != tls.VersionTLS13 {
		t.Errorf("%+v", s)
	}
	for _, wrong := range []string{
		"ENABLED=yes", "VERIFICATION_DEPTH=x", "VERIFICATION_DEPTH=-1", "CIPHERS=RC4-SHA", "ECDH_CURVES=P-1",
		"HOSTNAME_VALIDATION_SCHEME=none", "ENABLE_SSL_V3=true", "REQUIRE_CERT=maybe",
	} {
		if _, err := FromEnvironment(lookup("LIBPROCESS_SSL_"+wrong, "LIBPROCESS_SSL_ENABLED=true")); err == nil {
			t.Errorf("%s is accepted", wrong)
		}
	}
}
