package tlsconfig

import (
	"crypto/tls"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Schemes of checking that a certificate is its peer's.
const (
	// Legacy looks the name of the peer's IP address up in DNS.
	Legacy = "legacy"
	// OpenSSL takes the name or address that was dialled; clients' names are
	// not checked.
	OpenSSL = "openssl"
)

// Settings are the values of LIBPROCESS_SSL_*, by their names there.
type Settings struct {
	SupportDowngrade  bool
	CertFile, KeyFile string
	CAFile, CADir     string
	VerifyServerCert  bool
	RequireClientCert bool
	VerifyIPAddress   bool
	VerificationDepth int
	Scheme            string // Legacy or OpenSSL
	Ciphers           []uint16
	Curves            []tls.CurveID
	MinVersion        uint16
	MaxVersion        uint16
}

// Lookup is os.LookupEnv.
type Lookup func(name string) (value string, ok bool)

// The prefixes of the variables: the second is what Mesos before 1.0 called
// them.
var prefixes = []string{"LIBPROCESS_SSL_", "SSL_"}

// FromEnvironment reads the variables. It returns nil if TLS isn't enabled.
func FromEnvironment(lookup Lookup) (*Settings, error) {
	r := reader{lookup: lookup}
	if !r.boolean("ENABLED", false) {
		return nil, r.error()
	}
	s := &Settings{
		SupportDowngrade:  r.boolean("SUPPORT_DOWNGRADE", false),
		CertFile:          r.path("CERT_FILE"),
		KeyFile:           r.path("KEY_FILE"),
		CAFile:            r.path("CA_FILE"),
		CADir:             r.path("CA_DIR"),
		VerifyServerCert:  r.boolean("VERIFY_CERT", false) || r.boolean("VERIFY_SERVER_CERT", false),
		RequireClientCert: r.boolean("REQUIRE_CERT", false) || r.boolean("REQUIRE_CLIENT_CERT", false),
		VerifyIPAddress:   r.boolean("VERIFY_IPADD", false),
		VerificationDepth: r.number("VERIFICATION_DEPTH", 4),
		Scheme:            r.text("HOSTNAME_VALIDATION_SCHEME", Legacy),
	}
	// Who must show a certificate must not be lied to either.
	s.VerifyServerCert = s.VerifyServerCert || s.RequireClientCert
	if s.Scheme != Legacy && s.Scheme != OpenSSL {
		r.fail("HOSTNAME_VALIDATION_SCHEME", fmt.Errorf("%q is neither legacy nor openssl", s.Scheme))
	}
	if s.VerificationDepth < 0 {
		r.fail("VERIFICATION_DEPTH", errors.New("it is negative"))
	}
	r.versions(s)
	var err error
	if s.Ciphers, err = parseCiphers(r.text("CIPHERS", "")); err != nil {
		r.fail("CIPHERS", err)
	}
	if s.Curves, err = parseCurves(r.text("ECDH_CURVES", "auto")); err != nil {
		r.fail("ECDH_CURVES", err)
	}
	return s, r.error()
}

// Validate reports what a server lacks.
func (s *Settings) Validate() error {
	var errs []error
	if s.CertFile == "" {
		errs = append(errs, errors.New("LIBPROCESS_SSL_CERT_FILE is required with LIBPROCESS_SSL_ENABLED"))
	}
	if s.KeyFile == "" {
		errs = append(errs, errors.New("LIBPROCESS_SSL_KEY_FILE is required with LIBPROCESS_SSL_ENABLED"))
	}
	return errors.Join(errs...)
}

// reader reads variables and collects what is wrong with them.
type reader struct {
	lookup Lookup
	errs   []error
}

func (r *reader) fail(name string, err error) {
	r.errs = append(r.errs, fmt.Errorf("%s%s: %w", prefixes[0], name, err))
}

func (r *reader) error() error { return errors.Join(r.errs...) }

func (r *reader) text(name, otherwise string) string {
	for _, prefix := range prefixes {
		if v, ok := r.lookup(prefix + name); ok {
			return v
		}
	}
	return otherwise
}

func (r *reader) path(name string) string { return strings.TrimPrefix(r.text(name, ""), "file://") }

func (r *reader) boolean(name string, otherwise bool) bool {
	switch v := r.text(name, strconv.FormatBool(otherwise)); v {
	case "true", "1":
		return true
	case "false", "0":
		return false
	default:
		r.fail(name, fmt.Errorf("%q is neither true nor false", v))
		return otherwise
	}
}

func (r *reader) number(name string, otherwise int) int {
	n, err := strconv.Atoi(r.text(name, strconv.Itoa(otherwise)))
	if err != nil {
		r.fail(name, errors.New("it is no number"))
	}
	return n
}

// versions turns the switches of versions into the range that crypto/tls has.
func (r *reader) versions(s *Settings) {
	if r.boolean("ENABLE_SSL_V3", false) {
		r.fail("ENABLE_SSL_V3", errors.New("SSL 3.0 is broken and not supported"))
	}
	for _, v := range []struct {
		name    string
		version uint16
		enabled bool
	}{
		{"ENABLE_TLS_V1_0", tls.VersionTLS10, false}, {"ENABLE_TLS_V1_1", tls.VersionTLS11, false},
		{"ENABLE_TLS_V1_2", tls.VersionTLS12, true}, {"ENABLE_TLS_V1_3", tls.VersionTLS13, true},
	} {
		if !r.boolean(v.name, v.enabled) {
			continue
		}
		if s.MinVersion == 0 {
			s.MinVersion = v.version
		}
		s.MaxVersion = v.version
	}
	if s.MinVersion == 0 {
		r.fail("ENABLE_TLS_V1_2", errors.New("no version of TLS is enabled"))
	}
}
