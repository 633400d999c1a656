package libprocess

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"testing"
	"time"
)

// testCertificate returns a certificate for 127.0.0.1 and the pool that trusts it.
func testCertificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(t, err)
	leaf, err := x509.ParseCertificate(der)
	must(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

func TestTLS(t *testing.T) {
	certificate, pool := testCertificate(t)
	secure := func(plain bool) func(*Config) {
		return func(c *Config) {
			c.ServerTLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
			c.ClientTLS = func(host string) *tls.Config { return &tls.Config{RootCAs: pool, ServerName: host} }
			c.AllowPlain = plain
		}
	}
	strict, lenient := testNode(t, secure(false)), testNode(t, secure(true))
	sender, exits := spawn(t, strict, "sender")
	receiver, got := spawn(t, lenient, "receiver")
	must(t, sender.Link(receiver.PID(), Reuse))
	must(t, sender.Send(receiver.PID(), "A", []byte("1")))
	if m := receive(t, got.messages); string(m.Body) != "1" {
		t.Errorf("got %v", m)
	}

	// HTTP over TLS shares the port.
	conn, err := tls.Dial("tcp", strict.Address().String(), &tls.Config{RootCAs: pool})
	must(t, err)
	defer conn.Close()
	io.WriteString(conn, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	expectStatus(t, bufio.NewReader(conn), 200)

	// Plain messages only where they are allowed.
	message := genuine("receiver", "B", "s@10.0.0.9:1", "h", "")
	request(t, lenient, message)
	receive(t, got.messages)
	_, r := request(t, strict, message)
	if b, err := r.ReadByte(); err == nil {
		t.Errorf("got %q", b)
	}

	// A peer that can't be trusted isn't linked.
	wary := testNode(t, func(c *Config) { c.ClientTLS = func(host string) *tls.Config { return &tls.Config{ServerName: host} } })
	doubter, doubts := spawn(t, wary, "doubter")
	must(t, doubter.Link(receiver.PID(), Reuse))
	if pid := receive(t, doubts.exits); pid != receiver.PID() {
		t.Errorf("exited %s", pid)
	}
	silent(t, exits.exits, time.Millisecond)
}
