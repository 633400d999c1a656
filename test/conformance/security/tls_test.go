package security

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// authority is a CA whose certificates are for 127.0.0.1.
type authority struct {
	t    testing.TB
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	dir  string
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir()}
	var err error
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "CA"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.write("ca.pem", "CERTIFICATE", der)
	return a
}

func (a *authority) write(name, kind string, der []byte) {
	a.t.Helper()
	path := filepath.Join(a.dir, name)
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		a.t.Fatal(err)
	}
}

// issue writes the certificate of a serial number.
func (a *authority) issue(serial int64) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "node"}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	bytes, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	a.write("key.pem", "EC PRIVATE KEY", bytes)
	a.write("cert.pem", "CERTIFICATE", der)
}

// env switches TLS on, with both sides checked.
func (a *authority) env(more ...string) []string {
	return append([]string{
		"LIBPROCESS_SSL_ENABLED=true", "LIBPROCESS_SSL_CERT_FILE=" + filepath.Join(a.dir, "cert.pem"),
		"LIBPROCESS_SSL_KEY_FILE=" + filepath.Join(a.dir, "key.pem"), "LIBPROCESS_SSL_CA_FILE=" + filepath.Join(a.dir, "ca.pem"),
		"LIBPROCESS_SSL_VERIFY_SERVER_CERT=true", "LIBPROCESS_SSL_VERIFY_IPADD=true",
	}, more...)
}

func withTLS(p *testbed.Process, env []string) {
	p.Env, p.Scheme = env, "https"
}

// TestTLS runs a task where every connection is TLS, with authentication of all
// kinds on top, and changes certificates meanwhile.
func TestTLS(t *testing.T) {
	ca := newAuthority(t)
	ca.issue(2)
	m := testbed.NewMaster(t, "--credentials="+credentials(t), "--authenticate_agents", "--authenticate_http_readonly",
		"--authenticate_http_frameworks", "--http_framework_authenticators=basic")
	withTLS(m.Process, ca.env())
	m.Username, m.Password = "ops", secret
	m.Start()
	a := testbed.NewAgent(t, m.Address, testbed.Posix, "--credential="+file(t, "credential", "agent "+secret),
		"--authenticate_http_executors", "--jwt_secret_key="+file(t, "key", "a key of executors' tokens"),
		"--http_credentials="+credentials(t))
	withTLS(a.Process, ca.env())
	a.Start()
	awaitAgents(t, m, 1)
	f := testbed.Subscribe(t, m, testbed.FrameworkOptions{Info: testbed.Object{"checkpoint": true}})
	f.Run("t", "sleep 1000")
	f.Follow("t", "TASK_STARTING", "TASK_RUNNING")

	// Nothing goes in the clear.
	for _, p := range []*testbed.Process{m.Process, a.Process} {
		if resp, err := http.Get("http://" + p.Address + "/health"); err == nil {
			resp.Body.Close()
			t.Errorf("%s answers in the clear: %s", p.Name, resp.Status)
		}
	}
	ca.issue(3)
	testbed.Eventually(t, "the new certificate is in use", func() error {
		conn, err := tls.Dial("tcp", m.Address, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			return err
		}
		defer conn.Close()
		if got := conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64(); got != 3 {
			return errSerial(got)
		}
		return nil
	})
	f.Run("after", "sleep 1000")
	f.Follow("after", "TASK_STARTING", "TASK_RUNNING")
	a.Kill()
	a.Start() // executors come back over TLS, with their tokens
	awaitAgents(t, m, 1)
	f.Call("KILL", testbed.Object{"task_id": testbed.Object{"value": "t"}})
	f.Follow("t", "TASK_KILLED")
}

type errSerial int64

func (e errSerial) Error() string { return "serial number " + big.NewInt(int64(e)).String() }

// TestDowngrade: plain and TLS on one port, for a cluster on its way.
func TestDowngrade(t *testing.T) {
	ca := newAuthority(t)
	ca.issue(2)
	m := testbed.NewMaster(t)
	m.Env = ca.env("LIBPROCESS_SSL_SUPPORT_DOWNGRADE=true")
	m.Start() // asks in the clear
	secure := testbed.NewAgent(t, m.Address, testbed.Posix)
	secure.Env = ca.env("LIBPROCESS_SSL_SUPPORT_DOWNGRADE=true")
	secure.Start()
	awaitAgents(t, m, 1)
	f := testbed.Subscribe(t, m, testbed.FrameworkOptions{Info: testbed.Object{"checkpoint": true}})
	f.Run("t", "sleep 1000")
	f.Follow("t", "TASK_STARTING", "TASK_RUNNING")
	m.Scheme = "https"
	if !m.Get("/state").At("id").Exists() {
		t.Error("no answer over TLS")
	}
}

// TestStrangersAreNotTrusted: an agent whose certificate is of another CA stays
// out, on either side.
func TestStrangersAreNotTrusted(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	ours.issue(2)
	theirs.issue(2)
	m := testbed.NewMaster(t)
	withTLS(m.Process, ours.env("LIBPROCESS_SSL_REQUIRE_CLIENT_CERT=true"))
	m.Launch()
	a := testbed.NewAgent(t, m.Address, testbed.Posix)
	withTLS(a.Process, theirs.env())
	a.Start()
	conn, err := tls.Dial("tcp", m.Address, &tls.Config{InsecureSkipVerify: true})
	for deadline := time.Now().Add(testbed.Patience); err != nil && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		conn, err = tls.Dial("tcp", m.Address, &tls.Config{InsecureSkipVerify: true})
	}
	if err == nil { // TLS 1.3 tells a client without a certificate when it reads
		conn.SetDeadline(time.Now().Add(testbed.Patience))
		conn.Write([]byte("GET /health HTTP/1.1\r\nHost: m\r\n\r\n"))
		if _, err = conn.Read(make([]byte, 1)); err == nil {
			t.Error("a client without a certificate is answered")
		}
		conn.Close()
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(ours.dir, "cert.pem"), filepath.Join(ours.dir, "key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{
		InsecureSkipVerify: true, Certificates: []tls.Certificate{pair}}}}
	resp, err := client.Get(m.URL("/health"))
	if err != nil {
		t.Fatalf("a client with a certificate: %v", err)
	}
	resp.Body.Close()
}
