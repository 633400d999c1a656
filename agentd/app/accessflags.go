package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/mesos-operator/mesos-operator/internal/acl"
	"github.com/mesos-operator/mesos-operator/internal/auth/httpauth"
	"github.com/mesos-operator/mesos-operator/internal/flags"
	"github.com/mesos-operator/mesos-operator/internal/httpserver"
)

// accessFlags say who may reach the agent and do what, and as whom it goes to
// its master.
type accessFlags struct {
	Credential             *string
	BackoffFactor          time.Duration
	TimeoutMin, TimeoutMax time.Duration
	Authenticatee          string

	HTTPReadonly       bool
	HTTPReadwrite      bool
	HTTPExecutors      bool
	HTTPCredentials    *string
	HTTPAuthenticators *string
	TokenAudiences     *string
	JWTSecretKey       *string

	Authorizer string
	ACLs       *flags.JSONFile
	Firewall   *json.RawMessage
}

func (f *accessFlags) define(s *flags.Set) {
	flags.Optional(s, &f.Credential, "credential", flags.CredentialsType,
		"Principal and secret by which the agent authenticates to masters: a file with JSON of Credential, or a line with both.")
	s.Duration(&f.BackoffFactor, "authentication_backoff_factor", time.Second,
		"By how much the longest wait for an authentication grows at first; it doubles with each attempt.")
	s.Duration(&f.TimeoutMin, "authentication_timeout_min", 5*time.Second, "Shortest time that a master gets to authenticate the agent.")
	s.Duration(&f.TimeoutMax, "authentication_timeout_max", time.Minute, "Longest time that it gets.")
	flags.Var(s, &f.Authenticatee, "authenticatee", "crammd5", flags.OneOf("crammd5"), "How the agent authenticates to masters.")
	s.Bool(&f.HTTPReadonly, "authenticate_http_readonly", false, "Authenticate whoever reads over HTTP.")
	s.Bool(&f.HTTPReadwrite, "authenticate_http_readwrite", false, "Authenticate whoever changes something over HTTP, and all of /api/v1.")
	s.Bool(&f.HTTPExecutors, "authenticate_http_executors", false,
		"Authenticate executors of the v1 API by the tokens that they get; needs --jwt_secret_key.")
	flags.Optional(s, &f.HTTPCredentials, "http_credentials", flags.CredentialsType,
		"Principals and their secrets for HTTP: a file with JSON of Credentials or a line of both for each.")
	s.OptionalString(&f.HTTPAuthenticators, "http_authenticators",
		"How HTTP requests authenticate: basic, jwt, and in Kubernetes serviceaccount, separated by commas."+
			" Default: basic, and jwt with --authenticate_http_executors.")
	s.OptionalString(&f.TokenAudiences, "kube_token_audiences",
		"In Kubernetes: audiences that tokens of ServiceAccounts must be meant for, separated by commas; default: the API server's.")
	flags.Optional(s, &f.JWTSecretKey, "jwt_secret_key", flags.PathType,
		"File with the key that signs executors' tokens.")
	flags.Var(s, &f.Authorizer, "authorizer", "local", flags.OneOf("local"), "Who decides who may do what.")
	flags.Optional(s, &f.ACLs, "acls", flags.JSONFileType, "Who may do what, as JSON of ACLs, or the path of a file with it.")
	flags.Optional(s, &f.Firewall, "firewall_rules", flags.JSONType,
		`Endpoints that are closed: {"disabled_endpoints":{"paths":["/files/browse"]}}.`)
}

// authenticators are those of all realms.
func (f *accessFlags) authenticators() string {
	switch {
	case f.HTTPAuthenticators != nil:
		return *f.HTTPAuthenticators
	case f.HTTPExecutors:
		return httpauth.NameBasic + "," + httpauth.NameJWT
	}
	return httpauth.NameBasic
}

func (f *accessFlags) validate() error {
	if f.HTTPExecutors && f.JWTSecretKey == nil {
		return errors.New("--jwt_secret_key is required with --authenticate_http_executors")
	}
	if f.TimeoutMin <= 0 || f.TimeoutMax < f.TimeoutMin || f.BackoffFactor < 0 {
		return errors.New("--authentication_timeout_min must be positive and not over --authentication_timeout_max," +
			" and --authentication_backoff_factor not negative")
	}
	if f.Firewall != nil {
		if _, err := httpserver.DisabledEndpoints(*f.Firewall); err != nil {
			return fmt.Errorf("--firewall_rules: %w", err)
		}
	}
	if f.ACLs != nil {
		if _, _, err := acl.Parse(f.ACLs.Text); err != nil {
			return fmt.Errorf("--acls: %w", err)
		}
	}
	return nil
}
