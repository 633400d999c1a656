package httpapi

import (
	"context"
	"maps"
	"math"
	"net/http"
	"slices"
	"time"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	mesosmaster "github.com/mesos-operator/mesos-operator/api/mesos/v1/master"
	"github.com/mesos-operator/mesos-operator/internal/acl"
	"github.com/mesos-operator/mesos-operator/internal/auth"
	"github.com/mesos-operator/mesos-operator/internal/files"
	"github.com/mesos-operator/mesos-operator/internal/httpserver"
)

// aboutProcess returns the handler of a call that asks about this process and
// not about the cluster, nil for others.
func (a *API) aboutProcess(t mesosmaster.Call_Type) func(*operatorCall) {
	switch t {
	case mesosmaster.Call_GET_HEALTH:
		return func(c *operatorCall) {
			a.respond(c, &mesosmaster.Response{GetHealth: &mesosmaster.Response_GetHealth{Healthy: new(true)}})
		}
	case mesosmaster.Call_GET_VERSION:
		return func(c *operatorCall) {
			a.respond(c, &mesosmaster.Response{
				GetVersion: &mesosmaster.Response_GetVersion{VersionInfo: versionInfo()}})
		}
	case mesosmaster.Call_GET_LOGGING_LEVEL:
		return func(c *operatorCall) {
			a.respond(c, &mesosmaster.Response{
				GetLoggingLevel: &mesosmaster.Response_GetLoggingLevel{Level: new(a.cfg.Verbosity.Get())}})
		}
	case mesosmaster.Call_GET_FLAGS:
		return a.getFlags
	case mesosmaster.Call_GET_METRICS:
		return a.getMetrics
	case mesosmaster.Call_SET_LOGGING_LEVEL:
		return a.setLoggingLevel
	case mesosmaster.Call_LIST_FILES:
		return a.listFiles
	case mesosmaster.Call_READ_FILE:
		return a.readFile
	}
	return nil
}

// respond sends a Response, whose type is the name of the call.
func (a *API) respond(c *operatorCall, response *mesosmaster.Response) {
	response.Type = mesosmaster.Response_Type(
		mesosmaster.Response_Type_value[c.call.GetType().String()]).Enum()
	a.message(c.w, c.contentType, response)
}

func (a *API) getFlags(c *operatorCall) {
	if !a.visibleTo(c.principal).flags.Allow(acl.Any) {
		httpserver.Refuse(c.w, http.StatusForbidden)
		return
	}
	get := &mesosmaster.Response_GetFlags{}
	for _, name := range slices.Sorted(maps.Keys(a.cfg.Flags)) {
		get.Flags = append(get.Flags, &mesos.Flag{Name: new(name), Value: new(a.cfg.Flags[name])})
	}
	a.respond(c, &mesosmaster.Response{GetFlags: get})
}

// maxMetricsTime bounds GET_METRICS without a timeout of its own.
const maxMetricsTime = 30 * time.Second

func (a *API) getMetrics(c *operatorCall) {
	timeout := maxMetricsTime
	if t := c.call.GetGetMetrics().GetTimeout(); t != nil {
		timeout = min(time.Duration(t.GetNanoseconds()), maxMetricsTime)
	}
	ctx, cancel := context.WithTimeout(c.r.Context(), timeout)
	defer cancel()
	get := &mesosmaster.Response_GetMetrics{}
	for _, s := range a.cfg.Metrics.Snapshot(ctx) {
		get.Metrics = append(get.Metrics, &mesos.Metric{Name: new(s.Name), Value: new(s.Value)})
	}
	a.respond(c, &mesosmaster.Response{GetMetrics: get})
}

func (a *API) setLoggingLevel(c *operatorCall) {
	if !a.cfg.Authorizer.ForName(c.principal).May(acl.SetLogLevel, acl.Any) {
		httpserver.Refuse(c.w, http.StatusForbidden)
		return
	}
	set := c.call.GetSetLoggingLevel()
	if err := a.cfg.Verbosity.Set(set.GetLevel(), time.Duration(set.GetDuration().GetNanoseconds())); err != nil {
		text(c.w, http.StatusBadRequest, err.Error())
		return
	}
	text(c.w, http.StatusOK, "")
}

// context knows the principal, for files that ask.
func (c *operatorCall) context() context.Context {
	return auth.NewContext(c.r.Context(), auth.Principal{Name: c.principal})
}

func (a *API) listFiles(c *operatorCall) {
	infos, err := a.cfg.Files.Browse(c.context(), c.call.GetListFiles().GetPath())
	if err != nil {
		status, body := files.Answer(err)
		text(c.w, status, body)
		return
	}
	a.respond(c, &mesosmaster.Response{ListFiles: &mesosmaster.Response_ListFiles{FileInfos: infos}})
}

func (a *API) readFile(c *operatorCall) {
	read := c.call.GetReadFile()
	var length *int64
	if read.Length != nil {
		length = new(int64(min(read.GetLength(), math.MaxInt64)))
	}
	content, err := a.cfg.Files.Read(c.context(), read.GetPath(), int64(min(read.GetOffset(), math.MaxInt64)), length)
	if err != nil {
		status, body := files.Answer(err)
		text(c.w, status, body)
		return
	}
	if content.Data == nil {
		content.Data = []byte{} // required
	}
	a.respond(c, &mesosmaster.Response{ReadFile: &mesosmaster.Response_ReadFile{
		Size: new(uint64(content.Size)), Data: content.Data,
	}})
}
