package auth

import "context"

type contextKey struct{}

// NewContext returns a context that knows who a request is made by, for what
// authorizes far from the edge: reading files, for example.
func NewContext(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, contextKey{}, p)
}

// FromContext returns who a request is made by; the zero Principal if nobody
// authenticated.
func FromContext(ctx context.Context) Principal {
	p, _ := ctx.Value(contextKey{}).(Principal)
	return p
}
