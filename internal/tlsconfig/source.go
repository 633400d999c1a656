package tlsconfig

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
)

// lookPause is how long files are not looked at again: a new certificate is in
// use that long after it was written.
const lookPause = time.Second

// Source makes TLS settings from files, as they are at the time.
type Source struct {
	settings Settings
	log      logr.Logger
	// reverse finds the names of an IP address.
	reverse func(ctx context.Context, ip string) ([]string, error)

	mu      sync.Mutex
	looked  time.Time
	stamps  map[string]stamp
	current material
}

// material is what files hold.
type material struct {
	certificate *tls.Certificate // nil: a client without one
	roots       *x509.CertPool   // nil: the system's
}

// stamp tells one version of a file from the next.
type stamp struct {
	modified time.Time
	size     int64
}

// Open reads the files for a server. Settings must have a certificate.
func Open(s *Settings, log logr.Logger) (*Source, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	return open(s, log)
}

// OpenClient reads the files for a client, which needs no certificate of its
// own, and goes without one that it can't read: executors run as users who may
// not.
func OpenClient(s *Settings, log logr.Logger) (*Source, error) {
	own := *s
	if _, err := tls.LoadX509KeyPair(s.CertFile, s.KeyFile); err != nil {
		own.CertFile, own.KeyFile = "", ""
	}
	return open(&own, log)
}

func open(s *Settings, log logr.Logger) (*Source, error) {
	source := &Source{settings: *s, log: log, reverse: net.DefaultResolver.LookupAddr}
	if source.log.GetSink() == nil {
		source.log = logr.Discard()
	}
	source.stamps = source.stat()
	var err error
	source.current, err = source.load()
	return source, err
}

// FromProcess opens what the process's environment says, for a server. It is
// nil without TLS, which all methods of a Source understand.
func FromProcess(log logr.Logger) (*Source, error) {
	s, err := FromEnvironment(os.LookupEnv)
	if err != nil || s == nil {
		return nil, err
	}
	return Open(s, log)
}

// AllowsPlain says whether a server takes connections without TLS, too.
func (s *Source) AllowsPlain() bool { return s != nil && s.settings.SupportDowngrade }

// Variables returns those of an environment by which a child reaches this
// process; none if it can do so without TLS.
func (s *Source) Variables(environ []string) map[string]string {
	if s == nil || s.settings.SupportDowngrade {
		return nil
	}
	out := map[string]string{}
	for _, v := range environ {
		name, value, _ := strings.Cut(v, "=")
		if strings.HasPrefix(name, prefixes[0]) || strings.HasPrefix(name, prefixes[1]) {
			out[name] = value
		}
	}
	return out
}

// Server returns the settings of a server; nil without TLS.
func (s *Source) Server() *tls.Config {
	if s == nil {
		return nil
	}
	c := s.base()
	c.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		m := s.material()
		c := s.base()
		c.Certificates = []tls.Certificate{*m.certificate}
		if s.settings.RequireClientCert {
			c.ClientAuth = tls.RequireAnyClientCert
			remote := hostOf(hello.Conn.RemoteAddr())
			c.VerifyConnection = func(cs tls.ConnectionState) error {
				return s.verify(cs, m.roots, x509.ExtKeyUsageClientAuth, remote, s.settings.Scheme == Legacy)
			}
		}
		return c, nil
	}
	return c
}

// Client returns the settings for a connection to a host; nil without TLS.
func (s *Source) Client(host string) *tls.Config {
	if s == nil {
		return nil
	}
	m := s.material()
	c := s.base()
	c.ServerName = host
	c.InsecureSkipVerify = true // VerifyConnection does it, if it is to be done
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		if m.certificate == nil {
			return &tls.Certificate{}, nil // none
		}
		return m.certificate, nil
	}
	if s.settings.VerifyServerCert {
		c.VerifyConnection = func(cs tls.ConnectionState) error {
			return s.verify(cs, m.roots, x509.ExtKeyUsageServerAuth, host, true)
		}
	}
	return c
}

// Transport makes an HTTP transport speak TLS; dial is for the connections
// below, nil for the network's own.
func (s *Source) Transport(t *http.Transport, dial func(ctx context.Context, network, address string) (net.Conn, error)) {
	if s == nil {
		return
	}
	if dial == nil {
		dial = (&net.Dialer{Timeout: 10 * time.Second}).DialContext
	}
	t.DialTLSContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			host = address
		}
		secured := tls.Client(conn, s.Client(host))
		if err := secured.HandshakeContext(ctx); err != nil {
			conn.Close()
			return nil, fmt.Errorf("TLS handshake with %s: %w", address, err)
		}
		return secured, nil
	}
}

// Scheme is that of URLs: "https", or "http" without TLS.
func (s *Source) Scheme() string {
	if s == nil {
		return "http"
	}
	return "https"
}

func (s *Source) base() *tls.Config {
	return &tls.Config{
		MinVersion: s.settings.MinVersion, MaxVersion: s.settings.MaxVersion,
		CipherSuites: s.settings.Ciphers, CurvePreferences: s.settings.Curves,
		NextProtos: []string{"http/1.1"},
	}
}

func hostOf(a net.Addr) string {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap().String()
	}
	return ""
}

// material returns what the files hold. Files that can't be read leave it as it
// was: a certificate is written in two steps, and may be wrong.
func (s *Source) material() material {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if now.Sub(s.looked) < lookPause {
		return s.current
	}
	s.looked = now
	stamps := s.stat()
	if equal(stamps, s.stamps) {
		return s.current
	}
	m, err := s.load()
	if err != nil {
		s.log.Error(err, "new certificates can't be used, going on with the old ones")
		return s.current
	}
	s.log.Info("certificates read again", "cert", s.settings.CertFile)
	s.current, s.stamps = m, stamps
	return m
}

func equal(a, b map[string]stamp) bool {
	if len(a) != len(b) {
		return false
	}
	for path, x := range a {
		if y, ok := b[path]; !ok || !x.modified.Equal(y.modified) || x.size != y.size {
			return false
		}
	}
	return true
}

// files are those that settings name, with those in the CA directory.
func (s *Source) files() []string {
	var all []string
	for _, path := range []string{s.settings.CertFile, s.settings.KeyFile, s.settings.CAFile} {
		if path != "" {
			all = append(all, path)
		}
	}
	if s.settings.CADir != "" {
		found, _ := filepath.Glob(filepath.Join(s.settings.CADir, "*")) // the pattern is well-formed
		all = append(all, found...)
	}
	return all
}

func (s *Source) stat() map[string]stamp {
	stamps := map[string]stamp{}
	for _, path := range s.files() {
		if info, err := os.Stat(path); err == nil {
			stamps[path] = stamp{info.ModTime(), info.Size()}
		}
	}
	return stamps
}

func (s *Source) load() (material, error) {
	var m material
	if s.settings.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(s.settings.CertFile, s.settings.KeyFile)
		if err != nil {
			return m, fmt.Errorf("reading the certificate: %w", err)
		}
		m.certificate = &pair
	}
	if s.settings.CAFile == "" && s.settings.CADir == "" {
		return m, nil
	}
	m.roots = x509.NewCertPool()
	if s.settings.CAFile != "" {
		pem, err := os.ReadFile(s.settings.CAFile)
		if err != nil {
			return m, fmt.Errorf("reading the CA's certificates: %w", err)
		}
		if !m.roots.AppendCertsFromPEM(pem) {
			return m, fmt.Errorf("reading the CA's certificates: none in %s", s.settings.CAFile)
		}
	}
	return m, s.loadDir(m.roots)
}

func (s *Source) loadDir(roots *x509.CertPool) error {
	if s.settings.CADir == "" {
		return nil
	}
	entries, err := os.ReadDir(s.settings.CADir)
	if err != nil {
		return fmt.Errorf("reading the CA's certificates: %w", err)
	}
	found := false
	for _, e := range entries {
		pem, err := os.ReadFile(filepath.Join(s.settings.CADir, e.Name()))
		if err != nil {
			continue // a directory, or for somebody else
		}
		found = roots.AppendCertsFromPEM(pem) || found
	}
	if !found && s.settings.CAFile == "" {
		return errors.New("reading the CA's certificates: none in " + s.settings.CADir)
	}
	return nil
}
