package httpapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/engine"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/agent"
	"github.com/mesos-operator/mesos-operator/internal/codec"
)

// attachHeartbeat is the pause between two heartbeats on the output of a container, as
// in Mesos.
const attachHeartbeat = 30 * time.Second

// attachOutput streams what a container writes.
func (a *API) attachOutput(w http.ResponseWriter, r *http.Request, req *operatorRequest) {
	id := containerizer.IDOf(req.call.GetAttachContainerOutput().GetContainerId())
	out, err := a.output(r.Context(), id)
	if err != nil {
		fail(w, err)
		return
	}
	defer out.Close()
	a.pass(w, r, req, out)
}

// session launches a debug container and streams what it writes. The container ends
// with the connection at the latest.
func (a *API) session(w http.ResponseWriter, r *http.Request, req *operatorRequest) {
	l := req.call.GetLaunchNestedContainerSession()
	id := containerizer.IDOf(l.GetContainerId())
	// It is of no use to who may not see its output, nor below standalone containers,
	// which have none: refused before it runs.
	if err := a.mayDeal(r.Context(), a.grants(r.Context()), attachesOutput(l.GetContainerId())); err != nil {
		fail(w, err)
		return
	}
	err := a.launchContainer(r.Context(), engine.ContainerLaunch{
		ID: l.GetContainerId(), Class: containerizer.ClassDebug, Command: l.GetCommand(), Container: l.GetContainer(),
	})
	if err != nil {
		fail(w, err)
		return
	}
	defer func() {
		// Whoever asked for it is gone: nobody waits for its end.
		err := a.cfg.Engine.DestroyContainer(context.WithoutCancel(r.Context()), id)
		if err != nil && !errors.Is(err, containerizer.ErrUnknown) {
			a.cfg.Log.Error(err, "ending a session's container", "container_id", id)
		}
	}()
	out, err := a.output(r.Context(), id)
	if err != nil {
		fail(w, err)
		return
	}
	defer out.Close()
	a.pass(w, r, req, out)
}

func (a *API) output(ctx context.Context, id containerizer.ID) (containerizer.Output, error) {
	out, err := a.cfg.Engine.AttachOutput(ctx, id)
	return out, a.attachError(ctx, id, err)
}

// attachError tells an unknown outermost container from one that has nothing to attach to.
func (a *API) attachError(ctx context.Context, id containerizer.ID, err error) error {
	if !errors.Is(err, containerizer.ErrUnknown) {
		return err
	}
	all, listErr := a.cfg.Engine.Containers(ctx)
	if listErr != nil {
		return listErr
	}
	for _, known := range all {
		if known == id.Root() && id.Parent() != "" {
			return containerizer.ErrNotAttachable
		}
	}
	return refuse(http.StatusNotFound, "Container %s cannot be found", id)
}

// pass writes a container's output as records until either side ends. A client that
// reads slowly slows the container down, see package switchboard.
func (a *API) pass(w http.ResponseWriter, r *http.Request, req *operatorRequest, out containerizer.Output) {
	messageType := req.answerType
	if req.answerType == codec.RecordIO {
		messageType = req.messageAccept
		w.Header().Set(messageContentType, messageType)
	}
	records := newRecordWriter(w, req.answerType)
	records.contentType = messageType
	chunks := make(chan containerizer.Chunk)
	go func() {
		defer close(chunks)
		for {
			c, err := out.Next()
			if err != nil {
				return
			}
			select {
			case chunks <- c:
			case <-r.Context().Done():
				return
			}
		}
	}()
	beat := time.NewTicker(a.cfg.AttachHeartbeat)
	defer beat.Stop()
	for {
		var m proto.Message
		select {
		case <-r.Context().Done():
			return
		case <-beat.C:
			m = heartbeatOf(a.cfg.AttachHeartbeat)
		case c, ok := <-chunks:
			if !ok {
				return
			}
			m = dataOf(c)
		}
		if err := records.write(m); err != nil {
			a.cfg.Log.V(1).Info("container's output ended", "reason", err.Error())
			return
		}
	}
}

func dataOf(c containerizer.Chunk) *agent.ProcessIO {
	kind := agent.ProcessIO_Data_STDOUT
	if c.Stderr {
		kind = agent.ProcessIO_Data_STDERR
	}
	return &agent.ProcessIO{Type: agent.ProcessIO_DATA.Enum(), Data: &agent.ProcessIO_Data{Type: &kind, Data: c.Data}}
}

func heartbeatOf(interval time.Duration) *agent.ProcessIO {
	return &agent.ProcessIO{Type: agent.ProcessIO_CONTROL.Enum(), Control: &agent.ProcessIO_Control{
		Type:      agent.ProcessIO_Control_HEARTBEAT.Enum(),
		Heartbeat: &agent.ProcessIO_Control_Heartbeat{Interval: &mesos.DurationInfo{Nanoseconds: new(int64(interval))}},
	}}
}

// attachInput passes the records of a request on to a container's input. It answers
// when the records have ended, or the container has.
func (a *API) attachInput(w http.ResponseWriter, r *http.Request, req *operatorRequest) {
	call := req.call.GetAttachContainerInput()
	if call.GetType() != agent.Call_AttachContainerInput_CONTAINER_ID {
		fail(w, refuse(http.StatusBadRequest, "Expecting 'attach_container_input.type' to be CONTAINER_ID"))
		return
	}
	id := containerizer.IDOf(call.GetContainerId())
	in, err := a.cfg.Engine.AttachInput(r.Context(), id)
	if errors.Is(err, containerizer.ErrInputTaken) {
		err = refuse(http.StatusConflict, "%s", err)
	}
	if err = a.attachError(r.Context(), id, err); err != nil {
		fail(w, err)
		return
	}
	defer in.Close()
	fed := make(chan error, 1)
	go func() { fed <- feed(req, in) }()
	select {
	case err = <-fed:
		if err == nil {
			err = <-in.Result()
		}
	case err = <-in.Result():
	}
	if err != nil {
		fail(w, err)
		return
	}
	text(w, http.StatusOK, "")
}

// feed passes records on to their end.
func feed(req *operatorRequest, in containerizer.Input) error {
	for {
		record, err := req.records.Next()
		if errors.Is(err, io.EOF) {
			return in.End()
		}
		call := &agent.Call{}
		if err == nil {
			err = codec.Unmarshal(req.inner, record, call)
		}
		if err == nil {
			err = validateInput(call)
		}
		if err != nil {
			return refuse(http.StatusBadRequest, "%s", err)
		}
		message := call.GetAttachContainerInput().GetProcessIo()
		switch {
		case message.GetType() == agent.ProcessIO_DATA:
			err = in.Write(message.GetData().GetData())
		case message.GetControl().GetType() == agent.ProcessIO_Control_TTY_INFO:
			size := message.GetControl().GetTtyInfo().GetWindowSize()
			err = in.Resize(size.GetRows(), size.GetColumns())
		}
		if err != nil {
			// The other side says why, if it can.
			if told := <-in.Result(); told != nil {
				return told
			}
			return nil
		}
	}
}

// validateInput checks the form of a record behind the first.
func validateInput(call *agent.Call) error {
	in := call.GetAttachContainerInput()
	message := in.GetProcessIo()
	switch {
	case call.GetType() != agent.Call_ATTACH_CONTAINER_INPUT || in == nil:
		return errors.New("Expecting 'type' to be 'ATTACH_CONTAINER_INPUT'")
	case in.GetType() != agent.Call_AttachContainerInput_PROCESS_IO:
		return fmt.Errorf("Expecting 'attach_container_input.type' to be 'PROCESS_IO' instead of: '%s'", in.GetType())
	case message == nil:
		return errors.New("Expecting 'attach_container_input.process_io' to be present")
	case message.Type == nil:
		return errors.New("Expecting 'process_io.type' to be present")
	}
	switch message.GetType() {
	case agent.ProcessIO_DATA:
		return validateData(message.GetData())
	case agent.ProcessIO_CONTROL:
		return validateControl(message.GetControl())
	}
	return errors.New("'process_io.type' is unknown")
}

func validateData(data *agent.ProcessIO_Data) error {
	switch {
	case data == nil:
		return errors.New("Expecting 'process_io.data' to be present")
	case data.Type == nil:
		return errors.New("Expecting 'process_io.data.type' to be present")
	case data.GetType() != agent.ProcessIO_Data_STDIN:
		return errors.New("Expecting 'process_io.data.type' to be 'STDIN'")
	case data.Data == nil:
		return errors.New("Expecting 'process_io.data.data' to be present")
	}
	return nil
}

func validateControl(control *agent.ProcessIO_Control) error {
	switch {
	case control == nil:
		return errors.New("Expecting 'process_io.control' to be present")
	case control.Type == nil:
		return errors.New("Expecting 'process_io.control.type' to be present")
	case control.GetType() == agent.ProcessIO_Control_TTY_INFO && control.TtyInfo == nil:
		return errors.New("Expecting 'process_io.control.tty_info' to be present")
	case control.GetType() == agent.ProcessIO_Control_TTY_INFO && control.GetTtyInfo().WindowSize == nil:
		return errors.New("Expecting 'tty_info.window_size' to be present")
	case control.GetType() == agent.ProcessIO_Control_HEARTBEAT && control.Heartbeat == nil:
		return errors.New("Expecting 'process_io.control.heartbeat' to be present")
	case control.GetType() == agent.ProcessIO_Control_UNKNOWN:
		return errors.New("'process_io.control.type' is unknown")
	}
	return nil
}
