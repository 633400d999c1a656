package httpauth

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/mesos-operator/mesos-operator/internal/auth"
	"github.com/mesos-operator/mesos-operator/internal/kubeapi"
)

// AccountsConfig are the settings of Accounts.
type AccountsConfig struct {
	// Realm is told to clients that don't authenticate.
	Realm string
	// API is asked about tokens. Required.
	API *kubeapi.Client
	// Audiences are those that a token must be meant for; default: the API
	// server's own.
	Audiences []string
	// Life is how long an answer is remembered. A token that is revoked works
	// for that long. Default 1 min.
	Life time.Duration
	// MaxRemembered bounds the answers that are. Default 4,096.
	MaxRemembered int
}

// refusedLife is how long it is remembered that a token isn't accepted: long
// enough that a client which tries again and again doesn't reach the API server.
const refusedLife = 5 * time.Second

// maxReviews bounds the questions that are under way at one time.
const maxReviews = 16

// maxToken bounds a token; Kubernetes's own are about 1 KiB.
const maxToken = 16 << 10

// accountPrefix begins the user names of ServiceAccounts. Others, people and
// nodes, are no principals of Mesos.
const accountPrefix = "system:serviceaccount:"

// Accounts accepts the tokens of Kubernetes's ServiceAccounts, which the API
// server checks. The principal is the account:
// "system:serviceaccount:<namespace>:<name>".
func Accounts(cfg AccountsConfig) Authenticator {
	if cfg.Life == 0 {
		cfg.Life = time.Minute
	}
	if cfg.MaxRemembered == 0 {
		cfg.MaxRemembered = 4096
	}
	return &accounts{cfg: cfg, known: map[[sha256.Size]byte]verdict{}, slots: make(chan struct{}, maxReviews)}
}

type accounts struct {
	cfg   AccountsConfig
	slots chan struct{}

	mu    sync.Mutex
	known map[[sha256.Size]byte]verdict // by the token's hash: tokens aren't kept
}

// verdict is what the API server said about a token.
type verdict struct {
	account string // "" for none
	until   time.Time
}

// Scheme implements Authenticator.
func (*accounts) Scheme() string { return "Bearer" }

// Authenticate implements Authenticator.
func (a *accounts) Authenticate(ctx context.Context, r *http.Request) (auth.Principal, error) {
	text, err := bearer(r, a.cfg.Realm)
	if err != nil {
		return auth.Principal{}, err
	}
	if len(text) > maxToken {
		return auth.Principal{}, invalid(a.cfg.Realm, "too long")
	}
	account, err := a.account(ctx, text)
	switch {
	case err != nil:
		return auth.Principal{}, fmt.Errorf("asking the API server about a token: %w", err)
	case account == "":
		return auth.Principal{}, invalid(a.cfg.Realm, "not the token of a ServiceAccount")
	}
	return auth.Principal{Name: account}, nil
}

// account returns whose token it is, "" for nobody's.
func (a *accounts) account(ctx context.Context, token string) (string, error) {
	key := sha256.Sum256([]byte(token))
	if v, ok := a.recall(key, time.Now()); ok {
		return v.account, nil
	}
	select {
	case a.slots <- struct{}{}:
		defer func() { <-a.slots }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	if v, ok := a.recall(key, time.Now()); ok { // somebody asked meanwhile
		return v.account, nil
	}
	account, err := a.review(ctx, token)
	if err != nil {
		return "", err
	}
	a.remember(key, account, time.Now())
	return account, nil
}

// tokenReview is authentication.k8s.io/v1, as far as it is needed.
type tokenReview struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Spec       struct {
		Token     string   `json:"token"`
		Audiences []string `json:"audiences,omitempty"`
	} `json:"spec"`
	Status struct {
		Authenticated bool `json:"authenticated"`
		User          struct {
			Username string `json:"username"`
		} `json:"user"`
		Error string `json:"error"`
	} `json:"status"`
}

func (a *accounts) review(ctx context.Context, token string) (string, error) {
	if a.cfg.API == nil {
		return "", errors.New("no API server is known")
	}
	review := tokenReview{APIVersion: "authentication.k8s.io/v1", Kind: "TokenReview"}
	review.Spec.Token, review.Spec.Audiences = token, a.cfg.Audiences
	err := a.cfg.API.Do(ctx, kubeapi.Request{
		Method: http.MethodPost, Path: "/apis/authentication.k8s.io/v1/tokenreviews", Body: review, Into: &review,
	})
	if err != nil {
		return "", err
	}
	if !review.Status.Authenticated || !strings.HasPrefix(review.Status.User.Username, accountPrefix) {
		return "", nil
	}
	return review.Status.User.Username, nil
}

func (a *accounts) recall(key [sha256.Size]byte, now time.Time) (verdict, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	v, ok := a.known[key]
	return v, ok && now.Before(v.until)
}

func (a *accounts) remember(key [sha256.Size]byte, account string, now time.Time) {
	life := a.cfg.Life
	if account == "" {
		life = min(life, refusedLife)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.known) >= a.cfg.MaxRemembered {
		a.makeRoom(now)
	}
	a.known[key] = verdict{account: account, until: now.Add(life)}
}

// makeRoom drops what is over, and if that is nothing any entry: a flood of
// wrong tokens costs questions, not memory.
func (a *accounts) makeRoom(now time.Time) {
	for key, v := range a.known {
		if !now.Before(v.until) {
			delete(a.known, key)
		}
	}
	for key := range a.known {
		if len(a.known) < a.cfg.MaxRemembered {
			return
		}
		delete(a.known, key)
	}
}
