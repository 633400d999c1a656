package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"

	"github.com/mesos-operator/mesos-operator/api/v1alpha1"
)

// apiServer is a real kube-apiserver with the project's CRDs, shared by the tests
// of this package; it is nil where no binaries for one are at hand.
var apiServer *rest.Config

// kubeConfig is a kubeconfig file's text for it.
var kubeConfig []byte

// builtAssets is where `make envtest` puts kube-apiserver and etcd.
const builtAssets = "../../bin/envtest"

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard())
	os.Exit(withAPIServer(m))
}

func withAPIServer(m *testing.M) int {
	assets := os.Getenv("KUBEBUILDER_ASSETS")
	if assets == "" {
		assets = builtAssets
	}
	if _, err := os.Stat(filepath.Join(assets, "kube-apiserver")); err != nil {
		return m.Run()
	}
	env := &envtest.Environment{
		CRDDirectoryPaths:     []string{"../../config/crd/bases"},
		ErrorIfCRDPathMissing: true,
		BinaryAssetsDirectory: assets,
	}
	config, err := env.Start()
	if err != nil {
		fmt.Fprintln(os.Stderr, "starting kube-apiserver:", err)
		return 1
	}
	defer func() {
		if err := env.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "stopping kube-apiserver:", err)
		}
	}()
	if err := grantOperator(config); err != nil {
		fmt.Fprintln(os.Stderr, "granting the operator its rights:", err)
		return 1
	}
	apiServer, kubeConfig = config, env.KubeConfig
	return m.Run()
}

func needAPIServer(t *testing.T) {
	t.Helper()
	if apiServer == nil {
		t.Skipf("no kube-apiserver: set KUBEBUILDER_ASSETS, or run `make envtest`")
	}
}

func testScheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			panic(err)
		}
	}
	return scheme
}

// operatorUser is whom the Reconciler acts as in tests: it has the rights of the
// generated role and no others.
const operatorUser = "system:serviceaccount:mesos-system:mesos-operator"

func grantOperator(config *rest.Config) error {
	c, err := client.New(config, client.Options{Scheme: testScheme()})
	if err != nil {
		return err
	}
	raw, err := os.ReadFile("../../config/rbac/role.yaml")
	if err != nil {
		return err
	}
	role := &rbacv1.ClusterRole{}
	if err := yaml.UnmarshalStrict(raw, role); err != nil {
		return err
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: role.Name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: operatorUser}},
	}
	return errors.Join(c.Create(context.Background(), role), c.Create(context.Background(), binding),
		install(c, "token_review.yaml"), install(c, "node_labels.yaml"))
}

// tokenReviewers is the binding that is installed with the operator.
const tokenReviewers = "mesos-operator-token-reviewers"

// install installs rights as they are shipped.
func install(c client.Client, file string) error {
	raw, err := os.ReadFile("../../config/rbac/" + file)
	if err != nil {
		return err
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "mesos-system"}}
	errs := []error{client.IgnoreAlreadyExists(c.Create(context.Background(), namespace))}
	for _, text := range strings.Split(string(raw), "\n---\n") {
		object := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(text), &object.Object); err != nil {
			return err
		}
		errs = append(errs, c.Create(context.Background(), object))
	}
	return errors.Join(errs...)
}
