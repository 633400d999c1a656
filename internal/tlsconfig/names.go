package tlsconfig

import (
	"crypto/tls"
	"fmt"
	"strings"
)

// ciphers are those of crypto/tls by OpenSSL's names. Those of TLS 1.3 can't be
// chosen.
var ciphers = map[string]uint16{
	"AES128-SHA":                    tls.TLS_RSA_WITH_AES_128_CBC_SHA,
	"AES256-SHA":                    tls.TLS_RSA_WITH_AES_256_CBC_SHA,
	"AES128-GCM-SHA256":             tls.TLS_RSA_WITH_AES_128_GCM_SHA256,
	"AES256-GCM-SHA384":             tls.TLS_RSA_WITH_AES_256_GCM_SHA384,
	"ECDHE-ECDSA-AES128-SHA":        tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA,
	"ECDHE-ECDSA-AES256-SHA":        tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA,
	"ECDHE-RSA-AES128-SHA":          tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
	"ECDHE-RSA-AES256-SHA":          tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
	"ECDHE-ECDSA-AES128-GCM-SHA256": tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	"ECDHE-ECDSA-AES256-GCM-SHA384": tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	"ECDHE-RSA-AES128-GCM-SHA256":   tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	"ECDHE-RSA-AES256-GCM-SHA384":   tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	"ECDHE-ECDSA-CHACHA20-POLY1305": tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	"ECDHE-RSA-CHACHA20-POLY1305":   tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
}

// ofMesos are the ciphers of Mesos's default that crypto/tls has. A peer with
// that default knows no others.
var ofMesos = []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA, tls.TLS_RSA_WITH_AES_256_CBC_SHA}

// parseCiphers reads OpenSSL's list. Names that crypto/tls doesn't have are
// skipped, as long as one is left.
func parseCiphers(list string) ([]uint16, error) {
	if list == "" {
		var all []uint16
		for _, c := range tls.CipherSuites() {
			all = append(all, c.ID)
		}
		return append(all, ofMesos...), nil
	}
	var chosen []uint16
	for name := range strings.FieldsFuncSeq(list, func(c rune) bool { return c == ':' || c == ',' || c == ' ' }) {
		if id, ok := ciphers[name]; ok {
			chosen = append(chosen, id)
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("none of %q is supported", list)
	}
	return chosen, nil
}

var curves = map[string]tls.CurveID{
	"P-256": tls.CurveP256, "prime256v1": tls.CurveP256, "P-384": tls.CurveP384, "secp384r1": tls.CurveP384,
	"P-521": tls.CurveP521, "secp521r1": tls.CurveP521, "X25519": tls.X25519,
}

// parseCurves reads OpenSSL's list; "auto" leaves the choice to crypto/tls.
func parseCurves(list string) ([]tls.CurveID, error) {
	if list == "auto" || list == "" {
		return nil, nil
	}
	var chosen []tls.CurveID
	for name := range strings.SplitSeq(list, ":") {
		id, ok := curves[name]
		if !ok {
			return nil, fmt.Errorf("curve %q is not supported", name)
		}
		chosen = append(chosen, id)
	}
	return chosen, nil
}
