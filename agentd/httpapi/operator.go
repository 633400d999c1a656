package httpapi

import (
	"context"
	"errors"
	"maps"
	"math"
	"net/http"
	"slices"
	"time"

	"github.com/mesos-operator/mesos-operator/agentd/state"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/agent"
	"github.com/mesos-operator/mesos-operator/internal/codec"
	"github.com/mesos-operator/mesos-operator/internal/files"
	"github.com/mesos-operator/mesos-operator/internal/logging"
	"github.com/mesos-operator/mesos-operator/internal/version"
)

// Headers that say what the records of a stream hold.
const (
	messageContentType = "Message-Content-Type"
	messageAccept      = "Message-Accept"
)

// serveOperator is /api/v1.
func (a *API) serveOperator(w http.ResponseWriter, r *http.Request) {
	if _, err := a.view(r.Context()); err != nil {
		text(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	call, answerType, err := operatorCall(r)
	if err != nil {
		fail(w, err)
		return
	}
	answer, err := a.operate(r.Context(), call)
	switch {
	case err != nil:
		fail(w, err)
	case answer == nil:
		text(w, http.StatusOK, "")
	default:
		answer.Type = agent.Response_Type(agent.Response_Type_value[call.GetType().String()]).Enum()
		if answerType == codec.JSON {
			jsonBody(w, appendResponse(nil, answer))
			return
		}
		a.message(w, answerType, answer)
	}
}

// operatorCall reads a call and checks its form, with Mesos's rules for streams in
// either direction.
func operatorCall(r *http.Request) (*agent.Call, string, error) {
	bodyType, err := contentType(r, codec.JSON, codec.Protobuf, codec.RecordIO)
	if err != nil {
		return nil, "", err
	}
	inner, streams := r.Header.Get(messageContentType), bodyType == codec.RecordIO
	switch {
	case streams && inner == "":
		return nil, "", refuse(http.StatusBadRequest,
			"Expecting '%s' to be set for streaming requests", messageContentType)
	case streams && inner != codec.JSON && inner != codec.Protobuf:
		return nil, "", refuse(http.StatusUnsupportedMediaType,
			"Expecting '%s' of %s or %s", messageContentType, codec.JSON, codec.Protobuf)
	case !streams && inner != "":
		return nil, "", refuse(http.StatusUnsupportedMediaType,
			"Expecting '%s' to be not set for non-streaming requests", messageContentType)
	}
	answerType, err := accept(r, codec.JSON, codec.Protobuf, codec.RecordIO)
	if err != nil {
		return nil, "", err
	}
	if answerType != codec.RecordIO && r.Header.Get(messageAccept) != "" {
		return nil, "", refuse(http.StatusNotAcceptable,
			"Expecting '%s' to be not set for non-streaming responses", messageAccept)
	}
	if streams {
		return nil, "", refuse(http.StatusUnsupportedMediaType, "Attaching to containers is not supported by this agent")
	}
	call := &agent.Call{}
	if err := decode(r, bodyType, call); err != nil {
		return nil, "", err
	}
	if err := validateOperatorCall(call); err != nil {
		return nil, "", refuse(http.StatusBadRequest, "Failed to validate agent::Call: %s", err)
	}
	if answerType == codec.RecordIO {
		return nil, "", refuse(http.StatusNotAcceptable, "Streaming response is not supported for %s call", call.GetType())
	}
	return call, answerType, nil
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
	}
	if missing != "" {
		return errors.New("Expecting '" + missing + "' to be present")
	}
	return nil
}

// operate performs a call. A nil answer is an empty body.
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
	case agent.Call_UNKNOWN:
		return nil, refuse(http.StatusNotImplemented, "")
	}
	return nil, refuse(http.StatusNotImplemented, "%s is not supported by this agent", call.GetType())
}

// show answers what a view tells.
func show(t agent.Call_Type, v *state.View) *agent.Response {
	switch t {
	case agent.Call_GET_AGENT:
		out := &agent.Response_GetAgent{AgentInfo: v.Agent, DrainConfig: v.Drain}
		if v.Drain != nil {
			out.EstimatedDrainStartTime = &mesos.TimeInfo{
				Nanoseconds: new(v.DrainSince.Truncate(time.Second).UnixNano()),
			}
		}
		return &agent.Response{GetAgent: out}
	case agent.Call_GET_STATE:
		return &agent.Response{GetState: &agent.Response_GetState{
			GetTasks: getTasks(v), GetExecutors: getExecutors(v), GetFrameworks: getFrameworks(v),
		}}
	case agent.Call_GET_FRAMEWORKS:
		return &agent.Response{GetFrameworks: getFrameworks(v)}
	case agent.Call_GET_EXECUTORS:
		return &agent.Response{GetExecutors: getExecutors(v)}
	case agent.Call_GET_TASKS:
		return &agent.Response{GetTasks: getTasks(v)}
	case agent.Call_GET_OPERATIONS:
		return &agent.Response{GetOperations: &agent.Response_GetOperations{Operations: v.Operations}}
	}
	return &agent.Response{GetResourceProviders: &agent.Response_GetResourceProviders{}}
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
	switch {
	case errors.Is(err, files.ErrNotFound):
		return refuse(http.StatusNotFound, "%s", err)
	case errors.Is(err, files.ErrInvalid):
		return refuse(http.StatusBadRequest, "%s", err)
	case errors.Is(err, files.ErrForbidden):
		return refuse(http.StatusForbidden, "%s", err)
	}
	return err
}

func getFrameworks(v *state.View) *agent.Response_GetFrameworks {
	list := func(fs []*state.Framework) []*agent.Response_GetFrameworks_Framework {
		var out []*agent.Response_GetFrameworks_Framework
		for _, f := range fs {
			out = append(out, &agent.Response_GetFrameworks_Framework{FrameworkInfo: f.Info})
		}
		return out
	}
	return &agent.Response_GetFrameworks{Frameworks: list(v.Frameworks), CompletedFrameworks: list(v.Completed)}
}

func getExecutors(v *state.View) *agent.Response_GetExecutors {
	list := func(es []*state.Executor) []*agent.Response_GetExecutors_Executor {
		var out []*agent.Response_GetExecutors_Executor
		for _, e := range es {
			out = append(out, &agent.Response_GetExecutors_Executor{ExecutorInfo: e.Info})
		}
		return out
	}
	out := &agent.Response_GetExecutors{}
	for _, f := range slices.Concat(v.Frameworks, v.Completed) {
		out.Executors = append(out.Executors, list(f.Executors)...)
		out.CompletedExecutors = append(out.CompletedExecutors, list(f.Completed)...)
	}
	return out
}

func getTasks(v *state.View) *agent.Response_GetTasks {
	out := &agent.Response_GetTasks{}
	for _, f := range slices.Concat(v.Frameworks, v.Completed) {
		for _, e := range slices.Concat(f.Executors, f.Completed) {
			for _, t := range e.Queued {
				out.QueuedTasks = append(out.QueuedTasks, state.QueuedTask(f, t))
			}
			out.LaunchedTasks = append(out.LaunchedTasks, e.Launched...)
			out.TerminatedTasks = append(out.TerminatedTasks, e.Terminated...)
			out.CompletedTasks = append(out.CompletedTasks, e.Completed...)
		}
	}
	return out
}

// getContainers lists executors' containers and, if wanted, those below them.
func (a *API) getContainers(ctx context.Context, call *agent.Call_GetContainers) (*agent.Response, error) {
	v, err := a.view(ctx)
	if err != nil {
		return nil, refuse(http.StatusServiceUnavailable, "%s", err)
	}
	executors := liveExecutors(v)
	ids := containerIDs(executors)
	out := &agent.Response_GetContainers{}
	for _, e := range executors {
		out.Containers = append(out.Containers, &agent.Response_GetContainers_Container{
			FrameworkId:  &mesos.FrameworkID{Value: &e.FrameworkID},
			ExecutorId:   &mesos.ExecutorID{Value: &e.ID},
			ExecutorName: new(e.Info.GetName()),
			ContainerId:  &mesos.ContainerID{Value: &e.Container},
		})
	}
	if call.GetShowNested() {
		nested, err := a.cfg.Engine.NestedContainers(ctx)
		if err != nil {
			return nil, err
		}
		for _, id := range nested {
			if slices.Contains(ids, string(id.Root())) {
				ids = append(ids, string(id))
				// As in Mesos the ID here has no parent; the one in the status has.
				out.Containers = append(out.Containers, &agent.Response_GetContainers_Container{
					ContainerId: &mesos.ContainerID{Value: new(id.Name())},
				})
			}
		}
	}
	statistics, statuses := a.cfg.Engine.Statistics(ctx, ids), a.cfg.Engine.Statuses(ctx, ids)
	for i, c := range out.Containers {
		c.ResourceStatistics, c.ContainerStatus = statistics[ids[i]], statuses[ids[i]]
	}
	return &agent.Response{GetContainers: out}, nil
}
