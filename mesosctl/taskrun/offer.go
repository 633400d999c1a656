package taskrun

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
)

// refuseUnneeded is for how long, in seconds, the rest of the cluster's offers are refused: longer than
// any task this framework waits for, since it never launches a second one.
const refuseUnneeded = 7 * 24 * 3600

func frameworkInfo(o Options) *mesos.FrameworkInfo {
	return &mesos.FrameworkInfo{
		User:  new(o.User),
		Name:  new("mesosctl task run " + o.Name),
		Roles: []string{o.Role},
		// Without it, the task would end with the agent's process.
		Checkpoint: new(true),
		// And without this with the leading master's.
		FailoverTimeout: new(failoverTimeout.Seconds()),
		Capabilities: []*mesos.FrameworkInfo_Capability{
			{Type: mesos.FrameworkInfo_Capability_MULTI_ROLE.Enum()},
			{Type: mesos.FrameworkInfo_Capability_RESERVATION_REFINEMENT.Enum()},
			{Type: mesos.FrameworkInfo_Capability_TASK_KILLING_STATE.Enum()},
			{Type: mesos.FrameworkInfo_Capability_PARTITION_AWARE.Enum()},
		},
	}
}

func (r *run) taskInfo() *mesos.TaskInfo {
	return &mesos.TaskInfo{
		Name:    new(r.Name),
		TaskId:  &mesos.TaskID{Value: new(r.Name + "." + uuid.NewString())},
		Command: commandInfo(r.Options),
	}
}

func commandInfo(o Options) *mesos.CommandInfo {
	c := &mesos.CommandInfo{Shell: new(o.Shell)}
	if o.Shell {
		c.Value = new(strings.Join(o.Command, " "))
	} else {
		c.Value, c.Arguments = new(o.Command[0]), o.Command
	}
	if o.User != "" {
		c.User = new(o.User)
	}
	for _, name := range slices.Sorted(maps.Keys(o.Env)) {
		if c.Environment == nil {
			c.Environment = &mesos.Environment{}
		}
		c.Environment.Variables = append(c.Environment.Variables, &mesos.Environment_Variable{Name: new(name), Value: new(o.Env[name])})
	}
	return c
}

func (r *run) offers(ctx context.Context, offers []*mesos.Offer) error {
	for _, offer := range offers {
		resources := pick(offer.GetResources(), r.Resources)
		if r.launched || resources == nil {
			if err := r.decline(ctx, offer); err != nil {
				return err
			}
			continue
		}
		if err := r.launch(ctx, offer, resources); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) decline(ctx context.Context, offer *mesos.Offer) error {
	decline := &scheduler.Call_Decline{OfferIds: []*mesos.OfferID{offer.GetId()}}
	if r.launched {
		decline.Filters = &mesos.Filters{RefuseSeconds: new(float64(refuseUnneeded))}
	}
	return r.session.Call(ctx, &scheduler.Call{Type: scheduler.Call_DECLINE.Enum(), Decline: decline})
}

func (r *run) launch(ctx context.Context, offer *mesos.Offer, resources []*mesos.Resource) error {
	r.launched = true
	r.task.AgentId, r.task.Resources = offer.GetAgentId(), resources
	address := agentAddress(offer)
	r.note("launching task %s on agent %s (%s)", r.task.TaskId.GetValue(), offer.GetAgentId().GetValue(), address)
	r.output = newFollower(r.client, address, r.session.FrameworkID().GetValue(), r.task.TaskId.GetValue(), r.Stdout)
	if err := r.session.Call(ctx, &scheduler.Call{
		Type: scheduler.Call_ACCEPT.Enum(),
		Accept: &scheduler.Call_Accept{
			OfferIds: []*mesos.OfferID{offer.GetId()},
			Operations: []*mesos.Offer_Operation{{
				Type:   mesos.Offer_Operation_LAUNCH.Enum(),
				Launch: &mesos.Offer_Operation_Launch{TaskInfos: []*mesos.TaskInfo{r.task}},
			}},
			Filters: &mesos.Filters{RefuseSeconds: new(float64(refuseUnneeded))},
		},
	}); err != nil {
		return err
	}
	return r.session.Call(ctx, &scheduler.Call{Type: scheduler.Call_SUPPRESS.Enum(), Suppress: &scheduler.Call_Suppress{}})
}

// agentAddress is where the agent's API listens.
func agentAddress(offer *mesos.Offer) string {
	a := offer.GetUrl().GetAddress()
	host := a.GetIp()
	if host == "" {
		host = offer.GetHostname()
	}
	return net.JoinHostPort(host, strconv.Itoa(int(a.GetPort())))
}

// pick cuts what is needed out of what is offered, or returns nil if it does not suffice.
// Revocable and shared resources and volumes are left alone.
func pick(offered []*mesos.Resource, needed map[string]float64) []*mesos.Resource {
	picked := []*mesos.Resource{}
	for _, name := range slices.Sorted(maps.Keys(needed)) {
		missing := needed[name]
		for _, resource := range offered {
			if missing <= 0 {
				break
			}
			if resource.GetName() != name || !plain(resource) {
				continue
			}
			part := proto.CloneOf(resource)
			part.Scalar.Value = new(min(missing, resource.GetScalar().GetValue()))
			missing -= part.Scalar.GetValue()
			picked = append(picked, part)
		}
		if missing > 0 {
			return nil
		}
	}
	return picked
}

func plain(r *mesos.Resource) bool {
	return r.GetType() == mesos.Value_SCALAR && r.GetScalar() != nil &&
		r.GetDisk() == nil && r.GetRevocable() == nil && r.GetShared() == nil
}

func describe(resources map[string]float64) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(resources)) {
		parts = append(parts, fmt.Sprintf("%s:%g", name, resources[name]))
	}
	return strings.Join(parts, ";")
}
