package raft

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// TLS names the files that secure the connections of peers. Each side shows a
// certificate and checks that the other's comes from the same authority, so
// only masters can take part. Peers check that a certificate names the host
// that they connect to.
//
// The files are read again when they changed, without a restart.
type TLS struct {
	// CertFile and KeyFile are this member's certificate chain and its key,
	// CAFile the authorities that peers' certificates come from; all PEM.
	CertFile, KeyFile, CAFile string
}

// Validate reports which file is missing from the settings.
func (t *TLS) Validate() error {
	if t != nil && (t.CertFile == "" || t.KeyFile == "" || t.CAFile == "") {
		return errors.New("TLS needs a certificate, its key and the authorities' certificates")
	}
	return nil
}

// certificates keeps what the files hold as long as they don't change.
type certificates struct {
	files TLS

	mu      sync.Mutex
	changed [3]time.Time
	own     tls.Certificate
	roots   *x509.CertPool
}

// configs returns the settings of both ends of a connection. The error is that
// of files which can't be used now.
func (c *certificates) configs() (server, client *tls.Config, err error) {
	if _, _, err := c.load(); err != nil {
		return nil, nil, err
	}
	server = &tls.Config{MinVersion: tls.VersionTLS13, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		own, roots, err := c.load()
		if err != nil {
			return nil, err
		}
		return &tls.Config{
			MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{own},
			ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: roots,
		}, nil
	}}
	client = &tls.Config{
		MinVersion: tls.VersionTLS13,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			own, _, err := c.load()
			return &own, err
		},
		// The standard check has one set of authorities for ever; VerifyConnection
		// does the same with the current one.
		InsecureSkipVerify: true, //nolint:gosec // see VerifyConnection
		VerifyConnection:   c.verifyServer,
	}
	return server, client, nil
}

func (c *certificates) verifyServer(state tls.ConnectionState) error {
	_, roots, err := c.load()
	if err != nil {
		return err
	}
	options := x509.VerifyOptions{Roots: roots, DNSName: state.ServerName, Intermediates: x509.NewCertPool()}
	for _, certificate := range state.PeerCertificates[1:] {
		options.Intermediates.AddCert(certificate)
	}
	_, err = state.PeerCertificates[0].Verify(options)
	return err
}

// load reads the files if one of them is newer than what was read. While they
// are being replaced, and don't fit, the old ones stay.
func (c *certificates) load() (tls.Certificate, *x509.CertPool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	changed, err := c.times()
	if err == nil && changed != c.changed {
		err = c.read(changed)
	}
	if err != nil && c.roots == nil {
		return tls.Certificate{}, nil, fmt.Errorf("raft TLS: %w", err)
	}
	return c.own, c.roots, nil
}

func (c *certificates) times() (changed [3]time.Time, err error) {
	for i, name := range []string{c.files.CertFile, c.files.KeyFile, c.files.CAFile} {
		info, err := os.Stat(name)
		if err != nil {
			return changed, err
		}
		changed[i] = info.ModTime()
	}
	return changed, nil
}

func (c *certificates) read(changed [3]time.Time) error {
	own, err := tls.LoadX509KeyPair(c.files.CertFile, c.files.KeyFile)
	if err != nil {
		return err
	}
	pem, err := os.ReadFile(c.files.CAFile)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return fmt.Errorf("%s holds no certificate", c.files.CAFile)
	}
	c.own, c.roots, c.changed = own, roots, changed
	return nil
}
