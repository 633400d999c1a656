package op

import (
	"encoding/binary"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages/registry"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/maintenance"
)

type message = proto.Message

// ErrEncoding is wrapped by every error of Unmarshal.
var ErrEncoding = errors.New("malformed registry operation")

// The codes of operations in a log. Never reuse or renumber one.
const (
	codeAdmitAgent byte = iota + 1
	codeUpdateAgent
	codeMarkUnreachable
	codeMarkReachable
	codeRemoveAgent
	codeMarkGone
	codePrune
	codeDrainAgent
	codeMarkDrained
	codeDeactivateAgent
	codeReactivateAgent
	codeUpdateWeights
	codeUpdateQuota
	codeUpdateSchedule
	codeStartMaintenance
	codeStopMaintenance
)

var names = [...]string{
	codeAdmitAgent:       "admit-agent",
	codeUpdateAgent:      "update-agent",
	codeMarkUnreachable:  "mark-unreachable",
	codeMarkReachable:    "mark-reachable",
	codeRemoveAgent:      "remove-agent",
	codeMarkGone:         "mark-gone",
	codePrune:            "prune",
	codeDrainAgent:       "drain-agent",
	codeMarkDrained:      "mark-drained",
	codeDeactivateAgent:  "deactivate-agent",
	codeReactivateAgent:  "reactivate-agent",
	codeUpdateWeights:    "update-weights",
	codeUpdateQuota:      "update-quota",
	codeUpdateSchedule:   "update-schedule",
	codeStartMaintenance: "start-maintenance",
	codeStopMaintenance:  "stop-maintenance",
}

// Append appends the encoding of a batch to b.
func Append(b []byte, ops []Operation) ([]byte, error) {
	opts := proto.MarshalOptions{Deterministic: true}
	for _, o := range ops {
		m := o.body()
		b = append(b, o.code())
		b = binary.AppendUvarint(b, uint64(opts.Size(m)))
		var err error
		if b, err = opts.MarshalAppend(b, m); err != nil {
			return nil, fmt.Errorf("encoding %s: %w", Name(o), err)
		}
	}
	return b, nil
}

// Unmarshal reads what Append wrote. The operations don't refer to data.
func Unmarshal(data []byte) ([]Operation, error) {
	var ops []Operation
	for len(data) > 0 {
		code := data[0]
		size, n := binary.Uvarint(data[1:])
		if n <= 0 || size > uint64(len(data)-1-n) {
			return nil, fmt.Errorf("%w: record %d ends early", ErrEncoding, len(ops))
		}
		body := data[1+n:][:size]
		data = data[1+n+int(size):]
		o, err := decode(code, body)
		if err != nil {
			return nil, fmt.Errorf("%w: record %d: %w", ErrEncoding, len(ops), err)
		}
		ops = append(ops, o)
	}
	return ops, nil
}

func decode(code byte, body []byte) (Operation, error) {
	switch code {
	case codeAdmitAgent:
		return read(body, func(m *registry.Registry_Slave) Operation { return AdmitAgent{m.GetInfo()} })
	case codeUpdateAgent:
		return read(body, func(m *registry.Registry_Slave) Operation { return UpdateAgent{m.GetInfo()} })
	case codeMarkReachable:
		return read(body, func(m *registry.Registry_Slave) Operation { return MarkReachable{m.GetInfo()} })
	case codeMarkUnreachable:
		return read(body, func(m *registry.Registry_UnreachableSlave) Operation {
			return MarkUnreachable{m.GetId(), m.GetTimestamp()}
		})
	case codeMarkGone:
		return read(body, func(m *registry.Registry_GoneSlave) Operation { return MarkGone{m.GetId(), m.GetTimestamp()} })
	case codeRemoveAgent:
		return read(body, func(m *mesos.AgentID) Operation { return RemoveAgent{m} })
	case codePrune:
		return read(body, decodePrune)
	case codeMarkDrained:
		return read(body, func(m *mesos.AgentID) Operation { return MarkDrained{m} })
	case codeDeactivateAgent:
		return read(body, func(m *mesos.AgentID) Operation { return DeactivateAgent{m} })
	case codeReactivateAgent:
		return read(body, func(m *mesos.AgentID) Operation { return ReactivateAgent{m} })
	case codeDrainAgent:
		return read(body, func(m *registry.Registry_UnreachableSlave) Operation {
			return DrainAgent{m.GetId(), m.GetDrainInfo().GetConfig()}
		})
	case codeUpdateWeights:
		return read(body, decodeWeights)
	case codeUpdateQuota:
		return read(body, func(m *registry.Registry) Operation { return UpdateQuota{m.GetQuotaConfigs()} })
	case codeUpdateSchedule:
		return read(body, func(m *maintenance.Schedule) Operation { return UpdateSchedule{m} })
	case codeStartMaintenance:
		return read(body, func(m *maintenance.Window) Operation { return StartMaintenance{m.GetMachineIds()} })
	case codeStopMaintenance:
		return read(body, func(m *maintenance.Window) Operation { return StopMaintenance{m.GetMachineIds()} })
	}
	return nil, fmt.Errorf("code %d is not known to this version", code)
}

// read decodes a body and makes the operation of it.
func read[T any, P interface {
	*T
	proto.Message
}](body []byte, make func(P) Operation) (Operation, error) {
	m := P(new(T))
	if err := proto.Unmarshal(body, m); err != nil {
		return nil, err
	}
	return make(m), nil
}

func (AdmitAgent) code() byte       { return codeAdmitAgent }
func (UpdateAgent) code() byte      { return codeUpdateAgent }
func (MarkUnreachable) code() byte  { return codeMarkUnreachable }
func (MarkReachable) code() byte    { return codeMarkReachable }
func (RemoveAgent) code() byte      { return codeRemoveAgent }
func (MarkGone) code() byte         { return codeMarkGone }
func (Prune) code() byte            { return codePrune }
func (DrainAgent) code() byte       { return codeDrainAgent }
func (MarkDrained) code() byte      { return codeMarkDrained }
func (DeactivateAgent) code() byte  { return codeDeactivateAgent }
func (ReactivateAgent) code() byte  { return codeReactivateAgent }
func (UpdateWeights) code() byte    { return codeUpdateWeights }
func (UpdateQuota) code() byte      { return codeUpdateQuota }
func (UpdateSchedule) code() byte   { return codeUpdateSchedule }
func (StartMaintenance) code() byte { return codeStartMaintenance }
func (StopMaintenance) code() byte  { return codeStopMaintenance }

func (o AdmitAgent) body() message    { return &registry.Registry_Slave{Info: o.Info} }
func (o UpdateAgent) body() message   { return &registry.Registry_Slave{Info: o.Info} }
func (o MarkReachable) body() message { return &registry.Registry_Slave{Info: o.Info} }
func (o MarkUnreachable) body() message {
	return &registry.Registry_UnreachableSlave{Id: o.ID, Timestamp: o.Since}
}
func (o MarkGone) body() message        { return &registry.Registry_GoneSlave{Id: o.ID, Timestamp: o.Since} }
func (o RemoveAgent) body() message     { return o.ID }
func (o MarkDrained) body() message     { return o.ID }
func (o DeactivateAgent) body() message { return o.ID }
func (o ReactivateAgent) body() message { return o.ID }
func (o UpdateQuota) body() message     { return &registry.Registry{QuotaConfigs: o.Configs} }
func (o UpdateSchedule) body() message  { return o.Schedule }

// The bodies below borrow messages for the lists in them; what these require
// besides is filled with zeros.

func (o DrainAgent) body() message {
	config := o.Config
	if config == nil {
		config = &mesos.DrainConfig{}
	}
	return &registry.Registry_UnreachableSlave{
		Id: o.ID, Timestamp: zeroTime(),
		DrainInfo: &mesos.DrainInfo{State: mesos.DrainState_DRAINING.Enum(), Config: config},
	}
}

func (o StartMaintenance) body() message { return machines(o.Machines) }
func (o StopMaintenance) body() message  { return machines(o.Machines) }

func machines(ids []*mesos.MachineID) *maintenance.Window {
	return &maintenance.Window{MachineIds: ids, Unavailability: &mesos.Unavailability{Start: zeroTime()}}
}

func zeroTime() *mesos.TimeInfo { return &mesos.TimeInfo{Nanoseconds: new(int64(0))} }

func (o Prune) body() message {
	unreachable := make([]*registry.Registry_UnreachableSlave, len(o.Unreachable))
	for i, id := range o.Unreachable {
		unreachable[i] = &registry.Registry_UnreachableSlave{Id: id, Timestamp: zeroTime()}
	}
	gone := make([]*registry.Registry_GoneSlave, len(o.Gone))
	for i, id := range o.Gone {
		gone[i] = &registry.Registry_GoneSlave{Id: id, Timestamp: zeroTime()}
	}
	return &registry.Registry{
		Unreachable: &registry.Registry_UnreachableSlaves{Slaves: unreachable},
		Gone:        &registry.Registry_GoneSlaves{Slaves: gone},
	}
}

func decodePrune(m *registry.Registry) Operation {
	var o Prune
	for _, s := range m.GetUnreachable().GetSlaves() {
		o.Unreachable = append(o.Unreachable, s.GetId())
	}
	for _, s := range m.GetGone().GetSlaves() {
		o.Gone = append(o.Gone, s.GetId())
	}
	return o
}

func (o UpdateWeights) body() message {
	weights := make([]*registry.Registry_Weight, len(o.Weights))
	for i, w := range o.Weights {
		weights[i] = &registry.Registry_Weight{Info: w}
	}
	return &registry.Registry{Weights: weights}
}

func decodeWeights(m *registry.Registry) Operation {
	var o UpdateWeights
	for _, w := range m.GetWeights() {
		o.Weights = append(o.Weights, w.GetInfo())
	}
	return o
}
