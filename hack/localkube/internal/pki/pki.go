// Package pki makes the keys, certificates and kubeconfigs of a localkube: one
// authority for everything, a certificate for each program, and the key that signs
// service account tokens. It owns the run folder's pki folder. What exists is kept,
// so that a second run changes nothing.
package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"
)

// Lifetime of every certificate. A localkube lives for days and is then thrown
// away: long enough that no renewal is needed.
const Lifetime = 5 * 365 * 24 * time.Hour

// Identity is what a certificate says about its holder.
type Identity struct {
	// Name is the common name, to Kubernetes the user.
	Name string
	// Groups are the organizations, to Kubernetes the groups.
	Groups []string
	// Hosts and Addrs are the names it may serve under.
	Hosts []string
	Addrs []netip.Addr
}

// Authority issues certificates into a folder.
type Authority struct {
	dir  string
	cert *x509.Certificate
	key  crypto.Signer
	now  time.Time
}

// Open reads the authority kept in dir, or makes it; now is the time that new
// certificates begin at.
func Open(dir string, now time.Time) (*Authority, error) {
	a := &Authority{dir: dir, now: now}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("opening the authority: %w", err)
	}
	cert, key, err := load(a.CertFile("ca"), a.KeyFile("ca"))
	if errors.Is(err, fs.ErrNotExist) {
		cert, key, err = a.create()
	}
	if err != nil {
		return nil, fmt.Errorf("opening the authority: %w", err)
	}
	a.cert, a.key = cert, key
	return a, nil
}

// CertFile is the path of the certificate called name.
func (a *Authority) CertFile(name string) string { return filepath.Join(a.dir, name+".crt") }

// KeyFile is the path of the private key called name.
func (a *Authority) KeyFile(name string) string { return filepath.Join(a.dir, name+".key") }

func (a *Authority) create() (*x509.Certificate, crypto.Signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	t := a.template(Identity{Name: "localkube-ca"})
	t.IsCA = true
	t.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return nil, nil, err
	}
	if err := a.store("ca", der, key); err != nil {
		return nil, nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return cert, key, err
}

// Issue makes sure that a key and a certificate called name exist. The certificate
// serves both as a server's and as a client's.
func (a *Authority) Issue(name string, id Identity) error {
	_, _, err := load(a.CertFile(name), a.KeyFile(name))
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("issuing %s: %w", name, err)
	}
	t := a.template(id)
	t.KeyUsage = x509.KeyUsageDigitalSignature
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	der, err := x509.CreateCertificate(rand.Reader, t, a.cert, key.Public(), a.key)
	if err != nil {
		return fmt.Errorf("issuing %s: %w", name, err)
	}
	return a.store(name, der, key)
}

func (a *Authority) template(id Identity) *x509.Certificate {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		panic(err) // crypto/rand does not fail on Linux
	}
	t := &x509.Certificate{
		SerialNumber:          serial.Add(serial, big.NewInt(1)),
		Subject:               pkix.Name{CommonName: id.Name, Organization: id.Groups},
		NotBefore:             a.now.Add(-time.Minute),
		NotAfter:              a.now.Add(Lifetime),
		BasicConstraintsValid: true,
		DNSNames:              id.Hosts,
	}
	for _, addr := range id.Addrs {
		t.IPAddresses = append(t.IPAddresses, net.IP(addr.AsSlice()))
	}
	return t
}

// store writes the key first: a certificate on disk means that both are there.
func (a *Authority) store(name string, der []byte, key crypto.Signer) error {
	if err := writeKey(a.KeyFile(name), key); err != nil {
		return err
	}
	return writePEM(a.CertFile(name), "CERTIFICATE", der, 0o644)
}

// SigningKey makes sure of a key pair for service account tokens: NAME.key and NAME.pub.
func (a *Authority) SigningKey(name string) (private, public string, err error) {
	private, public = a.KeyFile(name), filepath.Join(a.dir, name+".pub")
	if _, err := os.Stat(public); err == nil {
		return private, public, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", fmt.Errorf("making %s: %w", name, err)
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return "", "", fmt.Errorf("making %s: %w", name, err)
	}
	if err := writeKey(private, key); err != nil {
		return "", "", err
	}
	return private, public, writePEM(public, "PUBLIC KEY", der, 0o644)
}

func writeKey(path string, key crypto.Signer) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return writePEM(path, "PRIVATE KEY", der, 0o600)
}

func writePEM(path, kind string, der []byte, mode os.FileMode) error {
	tmp := path + ".tmp"
	if err := os.WriteFile(tmp, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), mode); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

func load(certFile, keyFile string) (*x509.Certificate, crypto.Signer, error) {
	cert, err := readPEM(certFile, x509.ParseCertificate)
	if err != nil {
		return nil, nil, err
	}
	key, err := readPEM(keyFile, x509.ParsePKCS8PrivateKey)
	if err != nil {
		return nil, nil, err
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, nil, fmt.Errorf("%s: not a signing key", keyFile)
	}
	return cert, signer, nil
}

func readPEM[T any](path string, parse func([]byte) (T, error)) (v T, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return v, err
	}
	block, _ := pem.Decode(b)
	if block == nil {
		return v, fmt.Errorf("%s: no PEM block", path)
	}
	if v, err = parse(block.Bytes); err != nil {
		return v, fmt.Errorf("%s: %w", path, err)
	}
	return v, nil
}
