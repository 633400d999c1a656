package main

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"strings"

	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/mesos-operator/mesos-operator/controllers/cluster/leader"
)

// ownTokens makes the tokens that the operator shows to masters; nil if it isn't told
// which account is its own.
func ownTokens(mgr ctrl.Manager, c config) leader.Tokens {
	namespace, name, ok := strings.Cut(c.account, "/")
	if !ok {
		return nil
	}
	own := mgr.GetConfig().BearerToken
	if file := mgr.GetConfig().BearerTokenFile; file != "" {
		if text, err := os.ReadFile(file); err == nil { // without it nothing else works either
			own = string(text)
		}
	}
	return leader.NewAccountTokens(mgr.GetClient(), types.NamespacedName{Namespace: namespace, Name: name}, audiences(own))
}

// audiences are those that a token is made for. It is the operator's own, and need not be
// verified.
func audiences(token string) []string {
	parts := strings.Split(strings.TrimSpace(token), ".")
	if len(parts) != 3 {
		return nil
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil
	}
	var claims struct {
		Audiences []string `json:"aud"`
	}
	if json.Unmarshal(text, &claims) != nil {
		return nil
	}
	return claims.Audiences
}
