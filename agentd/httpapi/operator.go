package httpapi

import (
	"context"
	"errors"
	"io"
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/agent"
	"github.com/mesos-operator/mesos-operator/internal/codec"
	"github.com/mesos-operator/mesos-operator/internal/files"
	"github.com/mesos-operator/mesos-operator/internal/httpserver"
	"github.com/mesos-operator/mesos-operator/internal/logging"
	"github.com/mesos-operator/mesos-operator/internal/recordio"
	"github.com/mesos-operator/mesos-operator/internal/version"
)

// Headers that say what the records of a stream hold.
const (
	messageContentType = "Message-Content-Type"
	messageAccept      = "Message-Accept"
)

// serveOperator is /api/v1.
func (a *API) serveOperator(w http.ResponseWriter, r *http.Request) {
	if _, err := a.whole(r.Context()); err != nil {
		text(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	req, err := readOperator(r)
	if err != nil {
		fail(w, err)
		return
	}
	if err := a.mayCall(r.Context(), req.call); err != nil {
		fail(w, err)
		return
	}
	switch req.call.GetType() {
	case agent.Call_ATTACH_CONTAINER_INPUT:
		a.attachInput(w, r, req)
		return
	case agent.Call_ATTACH_CONTAINER_OUTPUT:
		a.attachOutput(w, r, req)
		return
	case agent.Call_LAUNCH_NESTED_CONTAINER_SESSION:
		a.session(w, r, req)
		return
	}
	answer, err := a.operate(r.Context(), req.call)
	switch {
	case err != nil:
		fail(w, err)
	case answer == nil:
		text(w, http.StatusOK, "")
	default:
		answer.Type = agent.Response_Type(agent.Response_Type_value[req.call.GetType().String()]).Enum()
		if req.answerType == codec.JSON {
			jsonBody(w, appendResponse(nil, answer))
			return
		}
		a.message(w, req.answerType, answer)
	}
}

// operatorRequest is a call with what its headers say.
type operatorRequest struct {
	call *agent.Call
	// answerType is the content type of the answer; messageAccept that of its records if
	// it is codec.RecordIO.
	answerType, messageAccept string
	// records are those behind the call if the request is a stream, in the content
	// type inner.
	records *recordio.Reader
	inner   string
}

// maxInputRecord bounds a record of a stream in a request.
const maxInputRecord = 4 << 20

// readOperator reads a call and checks its form, with Mesos's rules for streams in
// either direction.
func readOperator(r *http.Request) (*operatorRequest, error) {
	bodyType, err := contentType(r, codec.JSON, codec.Protobuf, codec.RecordIO)
	if err != nil {
		return nil, err
	}
	req := &operatorRequest{call: &agent.Call{}, inner: r.Header.Get(messageContentType)}
	streams := bodyType == codec.RecordIO
	switch {
	case streams && req.inner == "":
		return nil, refuse(http.StatusBadRequest,
			"Expecting '%s' to be set for streaming requests", messageContentType)
	case streams && req.inner != codec.JSON && req.inner != codec.Protobuf:
		return nil, refuse(http.StatusUnsupportedMediaType,
			"Expecting '%s' of %s or %s", messageContentType, codec.JSON, codec.Protobuf)
	case !streams && req.inner != "":
		return nil, refuse(http.StatusUnsupportedMediaType,
			"Expecting '%s' to be not set for non-streaming requests", messageContentType)
	}
	if err := req.negotiate(r); err != nil {
		return nil, err
	}
	if streams {
		err = req.first(r)
	} else {
		err = decode(r, bodyType, req.call)
	}
	if err != nil {
		return nil, err
	}
	if err := validateOperatorCall(req.call); err != nil {
		return nil, refuse(http.StatusBadRequest, "Failed to validate agent::Call: %s", err)
	}
	return req, req.checkStreams(streams)
}

// negotiate picks the content types of the answer.
func (req *operatorRequest) negotiate(r *http.Request) error {
	var err error
	if req.answerType, err = accept(r, codec.JSON, codec.Protobuf, codec.RecordIO); err != nil {
		return err
	}
	inner := strings.Join(r.Header.Values(messageAccept), ",")
	if req.answerType != codec.RecordIO {
		if inner != "" {
			return refuse(http.StatusNotAcceptable,
				"Expecting '%s' to be not set for non-streaming responses", messageAccept)
		}
		return nil
	}
	var ok bool
	if req.messageAccept, ok = codec.Negotiate(inner, codec.JSON, codec.Protobuf); !ok {
		return refuse(http.StatusNotAcceptable,
			"Expecting '%s' to allow %s or %s", messageAccept, codec.JSON, codec.Protobuf)
	}
	return nil
}

// first reads the first record of a stream, which says what the others are for.
func (req *operatorRequest) first(r *http.Request) error {
	req.records = recordio.NewReader(r.Body, maxInputRecord)
	record, err := req.records.Next()
	if errors.Is(err, io.EOF) {
		return refuse(http.StatusBadRequest, "Received EOF while reading request body")
	}
	if err == nil {
		err = codec.Unmarshal(req.inner, record, req.call)
	}
	if err != nil {
		return refuse(http.StatusBadRequest, "%s", err)
	}
	return nil
}

// checkStreams refuses streams where a call has none.
func (req *operatorRequest) checkStreams(streams bool) error {
	t := req.call.GetType()
	switch {
	case streams && t != agent.Call_ATTACH_CONTAINER_INPUT:
		return refuse(http.StatusUnsupportedMediaType,
			"Streaming 'Content-Type' %s is not supported for %s call", codec.RecordIO, t)
	case !streams && t == agent.Call_ATTACH_CONTAINER_INPUT:
		return refuse(http.StatusUnsupportedMediaType,
			"Expecting 'Content-Type' to be %s for %s call", codec.RecordIO, t)
	case req.answerType == codec.RecordIO && t != agent.Call_ATTACH_CONTAINER_OUTPUT && t != agent.Call_LAUNCH_NESTED_CONTAINER_SESSION:
		return refuse(http.StatusNotAcceptable, "Streaming response is not supported for %s call", t)
	}
	return nil
}

func validateOperatorCall(call *agent.Call) error {
	missing := ""
	switch {
	case call.Type == nil:
		missing = "type"
	case call.GetType() == agent.Call_GET_METRICS && call.GetMetrics == nil:
		missing = "get_metrics"
	case call.GetType() == agent.Call_SET_LOGGING_LEVEL && call.SetLoggingLevel == nil:
		missing = "set_logging_level"
	case call.GetType() == agent.Call_LIST_FILES && call.ListFiles == nil:
		missing = "list_files"
	case call.GetType() == agent.Call_READ_FILE && call.ReadFile == nil:
		missing = "read_file"
	case call.GetType() == agent.Call_MARK_RESOURCE_PROVIDER_GONE && call.MarkResourceProviderGone == nil:
		missing = "mark_resource_provider_gone"
	case call.GetType() == agent.Call_ADD_RESOURCE_PROVIDER_CONFIG && call.AddResourceProviderConfig == nil:
		missing = "add_resource_provider_config"
	case call.GetType() == agent.Call_UPDATE_RESOURCE_PROVIDER_CONFIG && call.UpdateResourceProviderConfig == nil:
		missing = "update_resource_provider_config"
	case call.GetType() == agent.Call_REMOVE_RESOURCE_PROVIDER_CONFIG && call.RemoveResourceProviderConfig == nil:
		missing = "remove_resource_provider_config"
	case call.GetAddResourceProviderConfig().GetInfo().GetId() != nil:
		return errors.New("Expecting 'add_resource_provider_config.info.id' to be unset")
	case call.GetUpdateResourceProviderConfig().GetInfo().GetId() != nil:
		return errors.New("Expecting 'update_resource_provider_config.info.id' to be unset")
	}
	if missing != "" {
		return errors.New("Expecting '" + missing + "' to be present")
	}
	return validateContainerCall(call)
}

// operate performs a call that is allowed. A nil answer is an empty body.
func (a *API) operate(ctx context.Context, call *agent.Call) (*agent.Response, error) {
	switch call.GetType() {
	case agent.Call_GET_HEALTH:
		return &agent.Response{GetHealth: &agent.Response_GetHealth{Healthy: new(true)}}, nil
	case agent.Call_GET_VERSION:
		return &agent.Response{GetVersion: &agent.Response_GetVersion{VersionInfo: versionInfo()}}, nil
	case agent.Call_GET_FLAGS:
		return &agent.Response{GetFlags: a.flags()}, nil
	case agent.Call_GET_METRICS:
		return a.metrics(ctx, call.GetGetMetrics())
	case agent.Call_GET_LOGGING_LEVEL:
		level := a.cfg.Verbosity.Get()
		return &agent.Response{GetLoggingLevel: &agent.Response_GetLoggingLevel{Level: &level}}, nil
	case agent.Call_SET_LOGGING_LEVEL:
		return nil, a.setLoggingLevel(call.GetSetLoggingLevel())
	case agent.Call_LIST_FILES:
		return a.listFiles(ctx, call.GetListFiles().GetPath())
	case agent.Call_READ_FILE:
		return a.readFile(ctx, call.GetReadFile())
	case agent.Call_GET_CONTAINERS:
		return a.getContainers(ctx, call.GetGetContainers())
	case agent.Call_GET_AGENT, agent.Call_GET_STATE, agent.Call_GET_FRAMEWORKS, agent.Call_GET_EXECUTORS,
		agent.Call_GET_TASKS, agent.Call_GET_OPERATIONS, agent.Call_GET_RESOURCE_PROVIDERS:
		v, err := a.view(ctx)
		if err != nil {
			return nil, refuse(http.StatusServiceUnavailable, "%s", err)
		}
		return show(call.GetType(), v), nil
	case agent.Call_ADD_RESOURCE_PROVIDER_CONFIG:
		info := call.GetAddResourceProviderConfig().GetInfo()
		return nil, configError(info, a.cfg.Providers.Add(info))
	case agent.Call_UPDATE_RESOURCE_PROVIDER_CONFIG:
		info := call.GetUpdateResourceProviderConfig().GetInfo()
		return nil, configError(info, a.cfg.Providers.Update(info))
	case agent.Call_REMOVE_RESOURCE_PROVIDER_CONFIG:
		c := call.GetRemoveResourceProviderConfig()
		return nil, configError(nil, a.cfg.Providers.Remove(c.GetType(), c.GetName()))
	case agent.Call_MARK_RESOURCE_PROVIDER_GONE:
		return nil, a.markProviderGone(ctx, call.GetMarkResourceProviderGone().GetResourceProviderId().GetValue())
	case agent.Call_PRUNE_IMAGES:
		if err := a.cfg.Engine.PruneImages(ctx, call.GetPruneImages().GetExcludedImages()); err != nil {
			return nil, refuse(http.StatusInternalServerError, "%s", err)
		}
		return nil, nil
	case agent.Call_UNKNOWN:
		return nil, refuse(http.StatusNotImplemented, "%s", httpserver.Refusal(http.StatusNotImplemented))
	}
	return a.operateContainer(ctx, call)
}

func versionInfo() *mesos.VersionInfo {
	date, unix := buildTime()
	info := &mesos.VersionInfo{Version: new(version.Mesos), BuildDate: &date, BuildTime: &unix, BuildUser: new("")}
	if sha := version.Revision(); sha != "" {
		info.GitSha = &sha
	}
	return info
}

func (a *API) flags() *agent.Response_GetFlags {
	out := &agent.Response_GetFlags{}
	for _, name := range slices.Sorted(maps.Keys(a.cfg.Flags)) {
		out.Flags = append(out.Flags, &mesos.Flag{Name: &name, Value: new(a.cfg.Flags[name])})
	}
	return out
}

func (a *API) metrics(ctx context.Context, call *agent.Call_GetMetrics) (*agent.Response, error) {
	if call.GetTimeout() != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(call.GetTimeout().GetNanoseconds()))
		defer cancel()
	}
	out := &agent.Response_GetMetrics{}
	for _, s := range a.cfg.Metrics.Snapshot(ctx) {
		if !math.IsNaN(s.Value) && !math.IsInf(s.Value, 0) {
			out.Metrics = append(out.Metrics, &mesos.Metric{Name: &s.Name, Value: &s.Value})
		}
	}
	return &agent.Response{GetMetrics: out}, nil
}

func (a *API) setLoggingLevel(call *agent.Call_SetLoggingLevel) error {
	err := a.cfg.Verbosity.Set(call.GetLevel(), time.Duration(call.GetDuration().GetNanoseconds()))
	if errors.Is(err, logging.ErrVerbosity) {
		return refuse(http.StatusBadRequest, "%s", err)
	}
	return err
}

func (a *API) listFiles(ctx context.Context, path string) (*agent.Response, error) {
	infos, err := a.cfg.Files.Browse(ctx, path)
	if err != nil {
		return nil, fileError(err)
	}
	return &agent.Response{ListFiles: &agent.Response_ListFiles{FileInfos: infos}}, nil
}

func (a *API) readFile(ctx context.Context, call *agent.Call_ReadFile) (*agent.Response, error) {
	var length *int64
	if call.Length != nil {
		length = new(int64(min(call.GetLength(), math.MaxInt64)))
	}
	content, err := a.cfg.Files.Read(ctx, call.GetPath(), int64(min(call.GetOffset(), math.MaxInt64)), length)
	if err != nil {
		return nil, fileError(err)
	}
	if content.Data == nil {
		content.Data = []byte{} // required
	}
	return &agent.Response{ReadFile: &agent.Response_ReadFile{
		Size: new(uint64(content.Size)), Data: content.Data,
	}}, nil
}

func fileError(err error) error {
	status, body := files.Answer(err)
	return refuse(status, "%s", body)
}
