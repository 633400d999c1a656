package tlsconfig

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// lookupTimeout bounds the question for the name of a peer.
const lookupTimeout = 5 * time.Second

var errNoCertificate = errors.New("the peer shows no certificate")

// verify checks a peer's certificate, and, if it is to be, that it is the
// peer's own.
func (s *Source) verify(
	cs tls.ConnectionState, roots *x509.CertPool, usage x509.ExtKeyUsage, host string, named bool,
) error {
	if len(cs.PeerCertificates) == 0 {
		return errNoCertificate
	}
	leaf := cs.PeerCertificates[0]
	options := x509.VerifyOptions{
		Roots: roots, Intermediates: x509.NewCertPool(), KeyUsages: []x509.ExtKeyUsage{usage},
	}
	for _, c := range cs.PeerCertificates[1:] {
		options.Intermediates.AddCert(c)
	}
	chains, err := leaf.Verify(options)
	if err != nil {
		return err
	}
	// The depth counts the certificates between the peer's and the root, and
	// the root.
	if !slices.ContainsFunc(chains, func(chain []*x509.Certificate) bool {
		return len(chain)-1 <= s.settings.VerificationDepth
	}) {
		return fmt.Errorf("the chain of certificates is longer than %d", s.settings.VerificationDepth)
	}
	if !named {
		return nil
	}
	if s.settings.Scheme == OpenSSL {
		return leaf.VerifyHostname(host)
	}
	return s.verifyLegacy(leaf, host)
}

// verifyLegacy is Mesos's first scheme: the name is that of the peer's IP
// address in DNS. Without one it passes, unless client certificates are
// required.
func (s *Source) verifyLegacy(leaf *x509.Certificate, host string) error {
	ip, err := netip.ParseAddr(host)
	names := []string{host}
	if err == nil {
		names = s.namesOf(host)
		if s.settings.VerifyIPAddress && slices.ContainsFunc(leaf.IPAddresses, func(a net.IP) bool {
			own, ok := netip.AddrFromSlice(a)
			return ok && own.Unmap() == ip.Unmap()
		}) {
			return nil
		}
		if len(names) == 0 && !s.settings.VerifyIPAddress {
			if s.settings.RequireClientCert {
				return fmt.Errorf("the name of the peer %s is not known", host)
			}
			return nil
		}
	}
	for _, name := range names {
		if leaf.VerifyHostname(name) == nil || len(leaf.DNSNames) == 0 && strings.EqualFold(leaf.Subject.CommonName, name) {
			return nil
		}
	}
	return fmt.Errorf("the certificate is for %v, not for %v", append(leaf.DNSNames, leaf.Subject.CommonName), append(names, host))
}

func (s *Source) namesOf(ip string) []string {
	ctx, cancel := context.WithTimeout(context.Background(), lookupTimeout)
	defer cancel()
	names, err := s.reverse(ctx, ip)
	if err != nil {
		return nil
	}
	for i, name := range names {
		names[i] = strings.TrimSuffix(name, ".")
	}
	return names
}
