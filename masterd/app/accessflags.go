package app

import (
	"encoding/json"
	"time"

	"github.com/mesos-operator/mesos-operator/internal/auth/httpauth"
	"github.com/mesos-operator/mesos-operator/internal/flags"
)

// AccessFlags say who may reach the master and do what.
type AccessFlags struct {
	// Credentials is a path or JSON; see auth.ReadSecret.
	Credentials *string

	HTTPReadonly            bool
	HTTPReadwrite           bool
	HTTPFrameworks          bool
	HTTPAuthenticators      string
	FrameworkAuthenticators *string
	TokenAudiences          *string

	Frameworks     bool
	Agents         bool
	Authenticators string
	Timeout        time.Duration

	Authorizers string
	ACLs        *flags.JSONFile
	Firewall    *json.RawMessage
}

func (f *AccessFlags) define(s *flags.Set) {
	flags.Optional(s, &f.Credentials, "credentials", flags.CredentialsType,
		"Principals and their secrets: a file with JSON of Credentials or a line of both for each.")
	s.Bool(&f.HTTPReadonly, "authenticate_http_readonly", false, "Authenticate whoever reads over HTTP.")
	s.Bool(&f.HTTPReadwrite, "authenticate_http_readwrite", false,
		"Authenticate whoever changes something over HTTP, and all of /api/v1.", flags.Alias("authenticate_http"))
	s.Bool(&f.HTTPFrameworks, "authenticate_http_frameworks", false,
		"Authenticate frameworks of the v1 API; needs --http_framework_authenticators.")
	s.String(&f.HTTPAuthenticators, "http_authenticators", httpauth.NameBasic,
		"How HTTP requests authenticate: basic, and in Kubernetes serviceaccount, separated by commas.")
	s.OptionalString(&f.FrameworkAuthenticators, "http_framework_authenticators",
		"How frameworks of the v1 API authenticate: as --http_authenticators.")
	s.OptionalString(&f.TokenAudiences, "kube_token_audiences",
		"In Kubernetes: audiences that tokens of ServiceAccounts must be meant for, separated by commas; default: the API server's.")
	s.Bool(&f.Frameworks, "authenticate_frameworks", false, "Refuse native drivers that did not authenticate.",
		flags.Alias("authenticate"))
	s.Bool(&f.Agents, "authenticate_agents", false, "Refuse agents that did not authenticate.",
		flags.Alias("authenticate_slaves"))
	flags.Var(s, &f.Authenticators, "authenticators", "crammd5", flags.OneOf("crammd5"),
		"How agents and native drivers authenticate.")
	s.Duration(&f.Timeout, "authentication_v0_timeout", 15*time.Second,
		"Time that an agent or native driver has to authenticate.")
	flags.Var(s, &f.Authorizers, "authorizers", "local", flags.OneOf("local"), "Who decides who may do what.")
	flags.Optional(s, &f.ACLs, "acls", flags.JSONFileType, "Who may do what, as JSON of ACLs, or the path of a file with it.")
	flags.Optional(s, &f.Firewall, "firewall_rules", flags.JSONType,
		`Endpoints that are closed: {"disabled_endpoints":{"paths":["/files/browse"]}}.`)
}
