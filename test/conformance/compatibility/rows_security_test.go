package compatibility

import (
	"testing"

	"github.com/mesos-operator/mesos-operator/api/mesos/acls"
)

const sec = "test/conformance/security."

// accessRows are the ways to keep people out, and to let them in.
var accessRows = []row{
	{"HTTP Basic", works, sec + "TestRealms " + sec + "TestOpenRealms " + sec + "TestOldFormOfCredentials", "`--credentials`, on agents `--http_credentials`; JSON or lines"},
	{"realms and their switches", works, sec + "TestRealms " + sec + "TestOpenRealms", "authentication comes before method and content type"},
	{"several authenticators", works, "internal/auth/httpauth.TestCombined internal/auth/httpauth.TestAuthenticatorsThatFail", "in the order of `--http_authenticators`"},
	{"tokens of executors (JWT)", works, sec + "TestExecutorsHaveTokens internal/auth/token.TestVerifyRefuses", "an executor's calls must be its own"},
	{"tokens of Kubernetes's ServiceAccounts", works, sec + "TestServiceAccounts internal/auth/httpauth.TestAccounts controllers/cluster.TestReviewers controllers/cluster.TestOperatorGrantsNothingElse", "authenticator `serviceaccount`, checked by a real kube-apiserver; not in Mesos"},
	{"principal of a framework", works, sec + "TestPrincipalOfAFramework", ""},
	{"CRAM-MD5, drivers", works, sec + "TestDriversAuthenticate " + sec + "TestWithoutCredentialsDriversAreRefused", ""},
	{"CRAM-MD5, agents", works, sec + "TestNativeAgentsAuthenticate " + sec + "TestOurAgentAuthenticates " + sec + "TestAgentWaitsForASilentMaster", "both sides"},
	{"TLS for HTTP and libprocess", works, sec + "TestTLS " + sec + "TestDowngrade " + sec + "TestStrangersAreNotTrusted internal/tlsconfig.TestHandshakes", "`LIBPROCESS_SSL_*`; TLS 1.3 is on unless it is switched off"},
	{"changed certificates", works, sec + "TestTLS internal/tlsconfig.TestCertificatesAreReadAgain", "without a restart"},
	{"changed secrets and ACLs", works, sec + "TestFilesAreReadAgain internal/reread.TestWatcher", "without a restart; not in Mesos"},
	{"firewall rules", works, sec + "TestFirewall internal/httpserver.TestDisable", "all paths of an endpoint are closed, not only the one that is named"},
	{"secrets in logs and flags", works, sec + "TestSecretsAreNotShown", "not shown"},
	{"modules", notYet, "", "authenticators, authorizers and others of `--modules` can't be loaded"},
}

// aclNotes and aclProofs are about single lists.
var (
	aclNotes = map[string]string{
		"permissive": "default: true",
		"launch_nested_container_sessions_as_user":                "",
		"launch_nested_container_sessions_under_parent_with_user": "",
	}
	aclProofs = map[string]string{
		"register_frameworks": sec + "TestFrameworks", "run_tasks": sec + "TestFrameworks", "register_agents": sec + "TestAgentsNeedLeave",
		"view_frameworks": sec + "TestReadsAreFiltered", "view_tasks": sec + "TestReadsAreFiltered", "view_roles": sec + "TestReadsAreFiltered",
		"access_mesos_logs": sec + "TestReadsAreFiltered", "get_endpoints": sec + "TestReadsAreFiltered",
		"view_executors": mapi + "TestAViewIsPartedByWhoLooks", "access_sandboxes": sec + "TestSandboxes",
		"launch_nested_containers_as_user":                "internal/acl.TestNestedContainersNeedBothUsers",
		"view_resource_providers":                         prov + "TestAccess",
		"mark_resource_providers_gone":                    prov + "TestAccess",
		"modify_resource_provider_configs":                prov + "TestAccess",
		"launch_nested_containers_under_parent_with_user": "internal/acl.TestNestedContainersNeedBothUsers",
	}
)

// agentsLists are what agents guard.
var agentsLists = []string{"view_flags", "set_log_level", "prune_images", "modify_resource_provider_configs", "mark_resource_providers_gone",
	"view_resource_providers", "launch_nested_containers_as_user", "launch_nested_containers_under_parent_with_user",
	"launch_nested_container_sessions_as_user", "launch_nested_container_sessions_under_parent_with_user", "wait_nested_containers",
	"kill_nested_containers", "remove_nested_containers", "launch_standalone_containers", "wait_standalone_containers",
	"kill_standalone_containers", "remove_standalone_containers", "view_standalone_containers", "attach_containers_input",
	"attach_containers_output", "get_endpoints", "access_mesos_logs", "access_sandboxes"}

func init() {
	for _, list := range []string{"view_flags", "set_log_level", "update_weights", "update_quotas", "teardown_frameworks", "update_maintenance_schedules",
		"start_maintenances", "stop_maintenances", "drain_agents", "deactivate_agents", "reactivate_agents", "mark_agents_gone"} {
		aclProofs[list] = sec + "TestOperatorCalls"
	}
	for list, test := range map[string]string{"run_tasks": "TestAgentAuthorizesTasks", "view_roles": "TestAgentReadsAreFiltered",
		"view_containers": "TestAgentReadsAreFiltered", "view_frameworks": "TestAgentReadsAreFiltered"} {
		aclProofs[list] += " " + sec + test
	}
	for _, list := range []string{"reserve_resources", "unreserve_resources", "create_volumes", "destroy_volumes", "resize_volumes"} {
		aclProofs[list] = sec + "TestReservationsOfPrincipals"
	}
	for _, list := range []string{"update_weights", "update_quotas", "get_quotas", "view_roles"} {
		aclProofs[list] += " " + sec + "TestPolicyOfPrincipals"
	}
	for _, list := range agentsLists {
		aclProofs[list] += " " + sec + "TestAgentCalls"
	}
}

// aclRows has every list of ACLs.
func aclRows(t *testing.T) []row {
	t.Helper()
	fields := (&acls.ACLs{}).ProtoReflect().Descriptor().Fields()
	var out []row
	for i := range fields.Len() {
		name := string(fields.Get(i).Name())
		r := row{name, works, "internal/acl.TestEachAction internal/acl.TestRulesFitTheModel", aclNotes[name]}
		if proof := aclProofs[name]; proof != "" {
			r.proof += " " + proof
		}
		out = append(out, r)
	}
	return out
}
