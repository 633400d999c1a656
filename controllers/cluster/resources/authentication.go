package resources

import (
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/mesos-operator/mesos-operator/api/v1alpha1"
)

// ReviewsTokens tells whether the daemons ask the API server whose a token is.
func ReviewsTokens(c *v1alpha1.MesosCluster) bool {
	return c.Spec.Authentication.ServiceAccounts != nil
}

// TokenAudience is whom the operator's own tokens for a cluster are made for; "" if it
// needs none.
func TokenAudience(c *v1alpha1.MesosCluster) string {
	if !ReviewsTokens(c) || len(c.Spec.Authentication.ServiceAccounts.Audiences) == 0 {
		return ""
	}
	return string(c.Spec.Authentication.ServiceAccounts.Audiences[0])
}

// masterAuthentication are the flags of masterd that close it for who shows no token.
func masterAuthentication(c *v1alpha1.MesosCluster) []string {
	return authentication(c, c.Spec.Masters.Flags, [][2]string{
		{"authenticate_http_readonly", "true"}, {"authenticate_http_readwrite", "true"}, {"authenticate_http_frameworks", "true"},
		{"http_authenticators", accountAuthenticator}, {"http_framework_authenticators", accountAuthenticator},
	})
}

// agentAuthentication are those of agentd.
func agentAuthentication(c *v1alpha1.MesosCluster, pool v1alpha1.AgentPool) []string {
	return authentication(c, pool.Flags, [][2]string{
		{"authenticate_http_readonly", "true"}, {"authenticate_http_readwrite", "true"}, {"http_authenticators", accountAuthenticator},
	})
}

// accountAuthenticator is the daemons' name for what reviews tokens.
const accountAuthenticator = "serviceaccount"

// authentication leaves out what the user has set otherwise: a flag may be given once.
func authentication(c *v1alpha1.MesosCluster, users v1alpha1.Flags, own [][2]string) []string {
	if !ReviewsTokens(c) {
		return nil
	}
	var args []string
	for _, flag := range own {
		if _, ok := users[flag[0]]; !ok {
			args = append(args, option(flag[0], flag[1]))
		}
	}
	var audiences []string
	for _, audience := range c.Spec.Authentication.ServiceAccounts.Audiences {
		audiences = append(audiences, string(audience))
	}
	return append(args, option("kube_token_audiences", strings.Join(audiences, ",")))
}

// Reviewers are the accounts that ask about tokens.
func Reviewers(c *v1alpha1.MesosCluster) []rbacv1.Subject {
	account := func(name string) rbacv1.Subject {
		return rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Name: name, Namespace: c.Namespace}
	}
	return []rbacv1.Subject{account(MasterName(c)), account(AgentAccountName(c))}
}
