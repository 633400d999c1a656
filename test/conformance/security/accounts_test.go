package security

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"

	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// kubernetes is a real kube-apiserver, in which accounts have tokens.
type kubernetes struct {
	t      testing.TB
	env    *envtest.Environment
	client client.Client
	// masters and framework are accounts; masters may review tokens, as those of a
	// MesosCluster may.
	masters, framework *corev1.ServiceAccount
}

func startKubernetes(t *testing.T) *kubernetes {
	t.Helper()
	assets := os.Getenv("KUBEBUILDER_ASSETS")
	if assets == "" {
		assets = "../../../bin/envtest"
	}
	if _, err := os.Stat(filepath.Join(assets, "kube-apiserver")); err != nil {
		t.Skip("no kube-apiserver: set KUBEBUILDER_ASSETS, or run `make envtest`")
	}
	if os.Getuid() != 0 {
		t.Skip("the daemons look for their account's token where kubelets mount it: needs root and a mount namespace")
	}
	k := &kubernetes{t: t, env: &envtest.Environment{BinaryAssetsDirectory: assets}}
	config, err := k.env.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := k.env.Stop(); err != nil {
			t.Errorf("stopping kube-apiserver: %v", err)
		}
	})
	scheme := runtime.NewScheme()
	k.must(clientgoscheme.AddToScheme(scheme))
	k.client, err = client.New(config, client.Options{Scheme: scheme})
	k.must(err)
	k.masters, k.framework = k.account("demo-master"), k.account("marathon")
	k.grant()
	return k
}

func (k *kubernetes) must(err error) {
	k.t.Helper()
	if err != nil {
		k.t.Fatal(err)
	}
}

func (k *kubernetes) account(name string) *corev1.ServiceAccount {
	k.t.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}}
	k.must(k.client.Create(k.t.Context(), account))
	return account
}

// grant gives the masters the right that is installed with the operator, and no other.
func (k *kubernetes) grant() {
	k.t.Helper()
	raw, err := os.ReadFile("../../../config/rbac/token_review.yaml")
	k.must(err)
	objects := strings.Split(string(raw), "\n---\n")
	role, binding := &rbacv1.ClusterRole{}, &rbacv1.ClusterRoleBinding{}
	k.must(yaml.Unmarshal([]byte(objects[0]), role))
	k.must(yaml.Unmarshal([]byte(objects[1]), binding))
	binding.Subjects = []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: "default", Name: k.masters.Name}}
	k.must(k.client.Create(k.t.Context(), role))
	k.must(k.client.Create(k.t.Context(), binding))
}

// token has one made, as a projected volume does.
func (k *kubernetes) token(account *corev1.ServiceAccount, audiences ...string) string {
	k.t.Helper()
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{Audiences: audiences}}
	k.must(k.client.SubResource("token").Create(context.Background(), account, request))
	return request.Status.Token
}

// resigned is a token with other claims, signed with a key.
func resigned(t testing.TB, token string, key *ecdsa.PrivateKey, change func(claims map[string]any)) string {
	t.Helper()
	parts := strings.Split(token, ".")
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	claims := map[string]any{}
	if err := json.Unmarshal(text, &claims); err != nil {
		t.Fatal(err)
	}
	change(claims)
	if text, err = json.Marshal(claims); err != nil {
		t.Fatal(err)
	}
	signed := parts[0] + "." + base64.RawURLEncoding.EncodeToString(text)
	sum := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// signer is the key that the API server signs tokens with.
func (k *kubernetes) signer() *ecdsa.PrivateKey {
	k.t.Helper()
	text, err := os.ReadFile(filepath.Join(k.env.ControlPlane.APIServer.CertDir, "sa-signer.key"))
	k.must(err)
	block, _ := pem.Decode(text)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	k.must(err)
	signer, ok := key.(*ecdsa.PrivateKey) // ES256
	if !ok {
		k.t.Fatalf("the API server signs with a %T", key)
	}
	return signer
}

// inPod has a daemon find what pods find: the API server's address, its certificate and the
// account's token.
func (k *kubernetes) inPod(p *testbed.Process) {
	k.t.Helper()
	dir := k.t.TempDir()
	k.must(os.WriteFile(filepath.Join(dir, "token"), []byte(k.token(k.masters)), 0o600))
	k.must(os.WriteFile(filepath.Join(dir, "ca.crt"), k.env.Config.CAData, 0o600))
	address, err := url.Parse(k.env.Config.Host)
	k.must(err)
	host, port, err := net.SplitHostPort(address.Host)
	k.must(err)
	p.Env = append(p.Env, "KUBERNETES_SERVICE_HOST="+host, "KUBERNETES_SERVICE_PORT="+port)
	const mounted = "/run/secrets/kubernetes.io/serviceaccount"
	p.Prefix = []string{"unshare", "--mount", "sh", "-c",
		`set -e; mount -t tmpfs none /run; mkdir -p ` + mounted + `; cp "$0"/* ` + mounted + `; exec "$@"`, dir}
}

// withToken is a request that shows one.
func withToken(t testing.TB, p *testbed.Process, token, method, path, body string) testbed.Answer {
	t.Helper()
	header := http.Header{"Authorization": {"Bearer " + token}}
	if body != "" {
		header.Set("Content-Type", "application/json")
	}
	return testbed.Do(t, method, p.URL(path), header, []byte(body))
}

// TestServiceAccounts: a real API server says whose tokens are, and masters and agents
// go by that.
func TestServiceAccounts(t *testing.T) {
	k := startKubernetes(t)
	closed := []string{"--authenticate_http_readonly", "--authenticate_http_readwrite", "--http_authenticators=serviceaccount", "--kube_token_audiences=mesos,other"}
	m := testbed.NewMaster(t, append(closed, "--authenticate_http_frameworks", "--http_framework_authenticators=serviceaccount", `--acls={
		"set_log_level":[{"principals":{"values":["system:serviceaccount:default:marathon"]},"level":{"type":"ANY"}},{"principals":{"type":"ANY"},"level":{"type":"NONE"}}]}`)...)
	k.inPod(m.Process)
	m.Token = k.token(k.framework, "mesos")
	m.Start()
	a := testbed.NewAgent(t, m.Address, testbed.Posix, closed...)
	k.inPod(a.Process)
	a.Token = m.Token
	a.Start()

	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	k.must(err)
	good := k.token(k.framework, "mesos")
	gone := k.account("gone")
	orphan := k.token(gone, "mesos")
	k.must(k.client.Delete(t.Context(), gone))
	tokens := map[string]struct {
		token  string
		status int
	}{
		"for the audience":           {good, 200},
		"for several, one of which":  {k.token(k.framework, "elsewhere", "other"), 200},
		"signed again, to be sure":   {resigned(t, good, k.signer(), func(map[string]any) {}), 200},
		"for the API server":         {k.token(k.framework), 401},
		"for another audience":       {k.token(k.framework, "elsewhere"), 401},
		"that is over":               {resigned(t, good, k.signer(), func(c map[string]any) { c["exp"] = time.Now().Add(-time.Minute).Unix() }), 401},
		"that isn't valid yet":       {resigned(t, good, k.signer(), func(c map[string]any) { c["nbf"] = time.Now().Add(time.Hour).Unix() }), 401},
		"of another Kubernetes":      {resigned(t, good, stranger, func(map[string]any) {}), 401},
		"that names another account": {resigned(t, good, stranger, func(c map[string]any) { c["sub"] = "system:serviceaccount:default:demo-master" }), 401},
		"of an account that is gone": {orphan, 401},
		"that is none":               {"nonsense", 401},
	}
	for name, c := range tokens {
		for _, p := range []*testbed.Process{m.Process, a.Process} {
			expect(t, p.Name+", a token "+name, withToken(t, p, c.token, http.MethodGet, "/state", ""), c.status)
			expect(t, p.Name+", a token "+name, withToken(t, p, c.token, http.MethodPost, "/api/v1", `{"type":"GET_VERSION"}`), c.status)
		}
	}
	for _, p := range []*testbed.Process{m.Process, a.Process} {
		expect(t, "no token", as(t, p, "", http.MethodGet, "/state", ""), http.StatusUnauthorized)
		expect(t, "health", as(t, p, "", http.MethodGet, "/health", ""), http.StatusOK)
	}
	// The principal is the account's: an ACL tells the two apart.
	level := `{"type":"SET_LOGGING_LEVEL","set_logging_level":{"level":0,"duration":{"nanoseconds":1000000000}}}`
	expect(t, "marathon", withToken(t, m.Process, good, http.MethodPost, "/api/v1", level), http.StatusOK)
	expect(t, "the masters' own", withToken(t, m.Process, k.token(k.masters, "mesos"), http.MethodPost, "/api/v1", level), http.StatusForbidden)
	for principal, want := range map[string]string{"": "SUBSCRIBED", "system:serviceaccount:default:marathon": "SUBSCRIBED", "somebody": ""} {
		info := `"user":"root","name":"n"`
		if principal != "" {
			info += fmt.Sprintf(`,"principal":%q`, principal)
		}
		got := firstEvent(t, m, good, `{"type":"SUBSCRIBE","subscribe":{"framework_info":{`+info+`}}}`)
		if got != want {
			t.Errorf("subscribing as %q: %q, want %q", principal, got, want)
		}
	}
	for _, f := range testbed.MustParse(t, withToken(t, m.Process, good, http.MethodGet, "/frameworks", "").Body).At("frameworks").List() {
		if got := f.At("principal").Text(); got != "" && got != "system:serviceaccount:default:marathon" {
			t.Errorf("a framework's principal is %q", got)
		}
	}
}

// firstEvent subscribes and returns the type of the first event, "" if it is refused.
func firstEvent(t testing.TB, m *testbed.Master, token, call string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, m.URL("/api/v1/scheduler"), strings.NewReader(call))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json"}, "Authorization": {"Bearer " + token}}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return ""
	}
	var length int
	if _, err := fmt.Fscanf(answer.Body, "%d\n", &length); err != nil {
		t.Fatal(err)
	}
	event := struct {
		Type string `json:"type"`
	}{}
	if err := json.NewDecoder(answer.Body).Decode(&event); err != nil {
		t.Fatal(err)
	}
	return event.Type
}
