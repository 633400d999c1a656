package leader

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// tokenLife is how long the operator's tokens are good for. A new one is asked for when
// half of it is over.
const tokenLife = time.Hour

// AccountTokens has the API server make tokens of the operator's own account for an
// audience. It never shows a token that the API server itself would take: whoever runs
// the masters of a cluster could act as the operator with it.
type AccountTokens struct {
	client  client.Client
	account types.NamespacedName
	// own are the audiences of the API server.
	own []string

	mu    sync.Mutex
	known map[string]madeToken // by audience
}

type madeToken struct {
	text  string
	renew time.Time
}

// NewAccountTokens makes tokens of an account; own are audiences that none is made for.
func NewAccountTokens(c client.Client, account types.NamespacedName, own []string) *AccountTokens {
	return &AccountTokens{client: c, account: account, own: own, known: map[string]madeToken{}}
}

// Token implements Tokens.
func (a *AccountTokens) Token(ctx context.Context, audience string) (string, error) {
	if slices.Contains(a.own, audience) {
		return "", fmt.Errorf("audience %q is Kubernetes's own: its tokens are shown to nobody else", audience)
	}
	now := time.Now()
	a.mu.Lock()
	known := a.known[audience]
	a.mu.Unlock()
	if now.Before(known.renew) {
		return known.text, nil
	}
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		Audiences: []string{audience}, ExpirationSeconds: new(int64(tokenLife / time.Second)),
	}}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: a.account.Namespace, Name: a.account.Name}}
	if err := a.client.SubResource("token").Create(ctx, account, request); err != nil {
		return "", fmt.Errorf("having a token made for audience %q: %w", audience, err)
	}
	life := request.Status.ExpirationTimestamp.Sub(now)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.known[audience] = madeToken{request.Status.Token, now.Add(life / 2)}
	return request.Status.Token, nil
}
