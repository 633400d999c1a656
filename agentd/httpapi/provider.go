package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/mesos-operator/mesos-operator/agentd/providerconfig"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/resourceprovider"
	"github.com/mesos-operator/mesos-operator/internal/auth"
	"github.com/mesos-operator/mesos-operator/internal/codec"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// streamHeader names the stream that a provider's calls belong to.
const streamHeader = "Mesos-Stream-Id"

// serveProvider is /api/v1/resource_provider.
func (a *API) serveProvider(w http.ResponseWriter, r *http.Request) {
	call, err := providerCall(r)
	if err != nil {
		fail(w, err)
		return
	}
	session, answerType := r.Header.Get(streamHeader), ""
	if call.GetType() == resourceprovider.Call_SUBSCRIBE {
		if answerType, err = acceptProvider(r, call.GetSubscribe().GetResourceProviderInfo()); err != nil {
			fail(w, err)
			return
		}
	}
	reply, stream, err := a.cfg.Engine.ProviderCall(r.Context(), session, call)
	switch {
	case err != nil:
		text(w, http.StatusServiceUnavailable, err.Error())
	case stream != nil:
		w.Header().Set(streamHeader, stream.Session)
		a.stream(w, r, answerType, stream, nil)
	default:
		text(w, reply.Status, reply.Message)
	}
}

// acceptProvider negotiates the stream of a SUBSCRIBE, and says whether who makes
// it may be that provider.
func acceptProvider(r *http.Request, info *mesos.ResourceProviderInfo) (string, error) {
	answerType, err := accept(r, codec.JSON, codec.Protobuf)
	switch {
	case err != nil:
		return "", err
	case len(r.Header.Values(streamHeader)) > 0:
		return "", refuse(http.StatusBadRequest, "Subscribe calls should not include the '%s' header", streamHeader)
	}
	principal := auth.FromContext(r.Context())
	if principal.Claims != nil && principal.Claims[claimPrefix] != prefixOf(info) {
		return "", refuse(http.StatusForbidden, "The token is not that of resource provider '%s' of type '%s'",
			info.GetName(), info.GetType())
	}
	return answerType, nil
}

// claimPrefix is the claim by which the token of a resource provider names the
// containers that it may deal with, and so itself.
const claimPrefix = "cid_prefix"

// prefixOf is how the names of a provider's containers begin, as in Mesos.
func prefixOf(info *mesos.ResourceProviderInfo) string {
	return strings.ReplaceAll(info.GetType(), ".", "-") + "-" + info.GetName() + "--"
}

// providerCall reads a call and checks its form.
func providerCall(r *http.Request) (*resourceprovider.Call, error) {
	bodyType, err := contentType(r, codec.JSON, codec.Protobuf)
	if err != nil {
		return nil, err
	}
	call := &resourceprovider.Call{}
	if err := decode(r, bodyType, call); err != nil {
		return nil, err
	}
	resources.UpgradeMessage(call)
	if err := validateProviderCall(call); err != nil {
		return nil, refuse(http.StatusBadRequest, "Failed to validate resource_provider::Call: %s", err)
	}
	return call, nil
}

func validateProviderCall(call *resourceprovider.Call) error {
	if call.Type == nil {
		return errors.New("Expecting 'type' to be present")
	}
	t := call.GetType()
	if t != resourceprovider.Call_UNKNOWN && t != resourceprovider.Call_SUBSCRIBE && call.ResourceProviderId == nil {
		return errors.New("Expecting 'resource_provider_id' to be present")
	}
	missing := ""
	switch {
	case t == resourceprovider.Call_SUBSCRIBE && call.Subscribe == nil:
		missing = "subscribe"
	case t == resourceprovider.Call_UPDATE_OPERATION_STATUS && call.UpdateOperationStatus == nil:
		missing = "update_operation_status"
	case t == resourceprovider.Call_UPDATE_STATE && call.UpdateState == nil:
		missing = "update_state"
	case t == resourceprovider.Call_UPDATE_PUBLISH_RESOURCES_STATUS && call.UpdatePublishResourcesStatus == nil:
		missing = "update_publish_resources_status"
	}
	if missing != "" {
		return fmt.Errorf("Expecting '%s' to be present", missing)
	}
	if err := validateProviderUUIDs(call); err != nil {
		return err
	}
	return resources.ValidateMessage(call)
}

// validateProviderUUIDs checks those that the agent keeps something under.
func validateProviderUUIDs(call *resourceprovider.Call) error {
	uuids := map[string]*mesos.UUID{
		"update_operation_status.operation_uuid":     call.GetUpdateOperationStatus().GetOperationUuid(),
		"update_operation_status.status.uuid":        call.GetUpdateOperationStatus().GetStatus().GetUuid(),
		"update_operation_status.latest_status.uuid": call.GetUpdateOperationStatus().GetLatestStatus().GetUuid(),
		"update_state.resource_version_uuid":         call.GetUpdateState().GetResourceVersionUuid(),
		"update_publish_resources_status.uuid":       call.GetUpdatePublishResourcesStatus().GetUuid(),
	}
	for field, uuid := range uuids {
		if uuid != nil && !isUUID(uuid.GetValue()) {
			return fmt.Errorf("'%s' is not a valid UUID", field)
		}
	}
	for _, o := range call.GetUpdateState().GetOperations() {
		if !isUUID(o.GetUuid().GetValue()) {
			return errors.New("'update_state.operations.uuid' is not a valid UUID")
		}
	}
	return nil
}

// markProviderGone removes a resource provider for good.
func (a *API) markProviderGone(ctx context.Context, id string) error {
	reply, err := a.cfg.Engine.MarkProviderGone(ctx, id)
	switch {
	case err != nil:
		return refuse(http.StatusServiceUnavailable, "%s", err)
	case reply.Status != http.StatusOK:
		return refuse(reply.Status, "%s", reply.Message)
	}
	return nil
}

// configError is what is answered about descriptions of providers.
func configError(info *mesos.ResourceProviderInfo, err error) error {
	switch {
	case errors.Is(err, providerconfig.ErrInvalid):
		return refuse(http.StatusBadRequest, "Failed to validate resource provider config with type '%s' and name '%s': %s",
			info.GetType(), info.GetName(), err)
	case errors.Is(err, providerconfig.ErrConflict):
		return refuse(http.StatusConflict, "%s", err)
	}
	return err
}
