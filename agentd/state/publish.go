package state

import (
	"errors"
	"fmt"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/resourceprovider"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// held is an effect that waits until resource providers have published what it
// needs: the launch of a container or a change of its resources.
type held struct {
	container string
	effect    Effect
	used      resources.Resources
	waiting   map[string]bool // UUIDs of publications
}

// publication is one that a provider was asked for.
type publication struct {
	provider string
	held     *held
}

// published performs an effect once the providers of what it uses have published
// that. A failure is answered as if the containerizer had failed.
func (m *Machine) published(r *run, used []*mesos.Resource, then Effect) {
	provided := resources.Of(used...).Filter(func(i resources.Item) bool { return i.Provider() != nil })
	if provided.IsEmpty() {
		m.do(then)
		return
	}
	h := &held{container: r.container, effect: then, used: provided, waiting: map[string]bool{}}
	ids := map[string]bool{}
	for i := range provided.All() {
		id := i.Provider().GetValue()
		if m.providers.subscribed[id] == nil {
			m.unpublished(h, "Resource provider "+id+" is not subscribed")
			return
		}
		ids[id] = true
	}
	for id := range sorted(ids) {
		m.publish(h, m.providers.subscribed[id], r)
	}
}

// publish asks a provider to publish all that containers use of it: some
// resources, such as cpus, are not told apart, so the sum has to be named.
func (m *Machine) publish(h *held, p *provider, r *run) {
	own := func(i resources.Item) bool { return i.Provider().GetValue() == p.id }
	all := h.used.Filter(own)
	for _, other := range sorted(m.containers) {
		if other != r {
			all = all.Add(resources.Of(other.resources()...).Filter(own))
		}
	}
	id := m.cfg.Random.UUID()
	m.providers.publishes[string(id[:])] = &publication{provider: p.id, held: h}
	h.waiting[string(id[:])] = true
	m.tellProvider(p, &resourceprovider.Event{
		Type: resourceprovider.Event_PUBLISH_RESOURCES.Enum(),
		PublishResources: &resourceprovider.Event_PublishResources{
			Uuid: &mesos.UUID{Value: id[:]}, Resources: all.Proto(),
		},
	})
}

func (m *Machine) publicationAnswered(p *provider, answer *resourceprovider.Call_UpdatePublishResourcesStatus) {
	uuid := string(answer.GetUuid().GetValue())
	asked := m.providers.publishes[uuid]
	if asked == nil || asked.provider != p.id {
		m.warn("answer to no publication ignored", append(providerFields(p), "uuid", uuidString([]byte(uuid)))...)
		return
	}
	if answer.GetStatus() != resourceprovider.Call_UpdatePublishResourcesStatus_OK {
		m.unpublished(asked.held, "Received "+answer.GetStatus().String()+" status")
		return
	}
	delete(m.providers.publishes, uuid)
	delete(asked.held.waiting, uuid)
	if len(asked.held.waiting) == 0 {
		m.do(asked.held.effect)
	}
}

// failPublications fails those that a provider will not answer any more.
func (m *Machine) failPublications(p *provider, why string) {
	for uuid, asked := range sorted(m.providers.publishes) {
		if asked.provider == p.id && m.providers.publishes[uuid] != nil {
			m.unpublished(asked.held, "Failed to publish resources from resource provider "+p.id+": "+why)
		}
	}
}

// unpublished gives up an effect.
func (m *Machine) unpublished(h *held, why string) {
	m.release(h)
	err := fmt.Errorf("Failed to publish resources '%s' for container %s: %s", h.used, h.container, why)
	switch effect := h.effect.(type) {
	case LaunchContainer:
		m.launched(ContainerLaunched{Container: effect.Container, Err: err})
	case UpdateContainer:
		m.updated(ContainerUpdated{Token: effect.Token, Err: err})
	}
}

func (m *Machine) release(h *held) {
	for uuid := range h.waiting {
		delete(m.providers.publishes, uuid)
	}
}

// destroy kills everything in a container. One whose launch is held back never
// comes to be.
func (m *Machine) destroy(r *run) {
	for _, asked := range sorted(m.providers.publishes) {
		if l, ok := asked.held.effect.(LaunchContainer); ok && l.Container == r.container {
			m.release(asked.held)
			m.launched(ContainerLaunched{Container: r.container, Err: errNotPublished})
			return
		}
	}
	m.do(DestroyContainer{Container: r.container})
}

var errNotPublished = errors.New("Destroyed while its resources were being published")
