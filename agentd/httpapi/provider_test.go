package httpapi

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/auth"
)

// TestProviderTokens: a token is good for the provider that it names, and one of
// an executor for none.
func TestProviderTokens(t *testing.T) {
	info := &mesos.ResourceProviderInfo{Type: new("org.example.rp"), Name: new("disks")}
	tests := map[string]struct {
		principal auth.Principal
		status    int // 0: it may subscribe
	}{
		"nobody in particular": {},
		"name and secret":      {principal: auth.Principal{Name: "ops"}},
		"its own token":        {principal: auth.Principal{Claims: map[string]string{"cid_prefix": "org-example-rp-disks--"}}},
		"that of another":      {auth.Principal{Claims: map[string]string{"cid_prefix": "org-example-rp-other--"}}, http.StatusForbidden},
		"that of an executor":  {auth.Principal{Claims: map[string]string{"fid": "f", "eid": "e", "cid": "c"}}, http.StatusForbidden},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, "/api/v1/resource_provider", nil)
			r = r.WithContext(auth.NewContext(r.Context(), tt.principal))
			_, err := acceptProvider(r, info)
			status := 0
			if refused, ok := errors.AsType[*refusal](err); ok {
				status = refused.status
			}
			if status != tt.status {
				t.Errorf("status %d (%v), want %d", status, err, tt.status)
			}
		})
	}
}
