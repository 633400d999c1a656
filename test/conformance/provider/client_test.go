package provider

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/mesos-operator/mesos-operator/api/mesos/v1/resourceprovider"
	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

type (
	object = testbed.Object
	list   = testbed.List
)

var encodings = []testbed.Encoding{testbed.JSON, testbed.Protobuf}

const path = "/api/v1/resource_provider"

// provider is a resource provider.
type provider struct {
	*testbed.Stream
	id string

	t        testing.TB
	agent    *testbed.Agent
	encoding testbed.Encoding
	version  object
}

// newProvider subscribes to an agent, once that is registered.
func newProvider(t testing.TB, agent *testbed.Agent, encoding testbed.Encoding) *provider {
	t.Helper()
	p := &provider{t: t, agent: agent, encoding: encoding, version: newUUID()}
	p.subscribe()
	return p
}

func newUUID() object {
	id := uuid.New()
	return object{"value": base64.StdEncoding.EncodeToString(id[:])}
}

func (p *provider) info() object {
	info := object{"type": "dev.mesos.rp.test", "name": strings.ReplaceAll(p.t.Name(), "/", "_")}
	if p.id != "" {
		info["id"] = object{"value": p.id}
	}
	return info
}

// open opens a stream; the answer is of interest if there is none.
func (p *provider) open(info object) (*testbed.Stream, testbed.Answer) {
	p.t.Helper()
	body := p.encode(object{"type": "SUBSCRIBE", "subscribe": object{"resource_provider_info": info}})
	header := p.agent.Header(http.Header{"Content-Type": {string(p.encoding)}, "Accept": {string(p.encoding)}})
	return testbed.OpenStream(p.t, p.agent.URL(path), header, body, func(record []byte) (testbed.Value, error) {
		return p.encoding.Decode(record, &resourceprovider.Event{})
	})
}

func (p *provider) encode(call object) []byte {
	p.t.Helper()
	body, err := p.encoding.Encode(call, &resourceprovider.Call{})
	if err != nil {
		p.t.Fatal(err)
	}
	return body
}

// subscribe opens a stream as soon as the agent lets it, with the ID that it has.
func (p *provider) subscribe() {
	p.t.Helper()
	testbed.Eventually(p.t, "the provider is subscribed", func() error {
		stream, answer := p.open(p.info())
		if stream == nil {
			return fmt.Errorf("%d %s", answer.Status, answer.Text())
		}
		p.Stream = stream
		return nil
	})
	id := p.Await("SUBSCRIBED", testbed.Type("SUBSCRIBED")).At("subscribed", "provider_id", "value").Text()
	if id == "" || p.id != "" && id != p.id {
		p.t.Fatalf("the provider %q is subscribed as %q", p.id, id)
	}
	p.id = id
}

// send makes a call of the provider that is subscribed.
func (p *provider) send(kind string, body object) testbed.Answer {
	p.t.Helper()
	call := object{"type": kind, "resource_provider_id": object{"value": p.id}, strings.ToLower(kind): body}
	header := p.agent.Header(http.Header{
		"Content-Type": {string(p.encoding)}, "Mesos-Stream-Id": {p.Header.Get("Mesos-Stream-Id")},
	})
	return testbed.Do(p.t, http.MethodPost, p.agent.URL(path), header, p.encode(call))
}

// call is send of what must be accepted.
func (p *provider) call(kind string, body object) {
	p.t.Helper()
	if answer := p.send(kind, body); answer.Status != http.StatusAccepted || len(answer.Body) != 0 {
		p.t.Fatalf("%s: %d %s", kind, answer.Status, answer.Text())
	}
}

// state tells what the provider has and which operations it knows.
func (p *provider) state(resources list, operations ...any) {
	p.t.Helper()
	p.call("UPDATE_STATE", object{
		"resources": resources, "operations": operations, "resource_version_uuid": p.version,
	})
}

// raw is a disk without a file system.
func (p *provider) raw() object {
	disk := testbed.Scalar("disk", 64)
	disk["provider_id"] = object{"value": p.id}
	disk["disk"] = object{"source": object{"type": "RAW", "id": "d1", "profile": "fast"}}
	return disk
}

// mounted is that disk, mounted at a directory.
func (p *provider) mounted(root string) object {
	disk := p.raw()
	disk["disk"] = object{"source": object{"type": "MOUNT", "id": "d1", "profile": "fast", "mount": object{"root": root}}}
	return disk
}

// operation takes the next operation that is to be applied.
func (p *provider) operation(kind string) testbed.Value {
	p.t.Helper()
	event := p.Await("an operation", testbed.Type("APPLY_OPERATION")).At("apply_operation")
	if got := event.At("info", "type").Text(); got != kind {
		p.t.Fatalf("operation is %s, want %s", got, kind)
	}
	if got, want := event.At("resource_version_uuid", "value").Text(), p.version["value"]; got != want {
		p.t.Fatalf("operation is for version %s, the provider's is %s", got, want)
	}
	return event
}

// report tells what became of an operation. It returns the status, to be told again.
func (p *provider) report(operation testbed.Value, state string, converted ...any) object {
	p.t.Helper()
	status := object{
		"state": state, "uuid": newUUID(), "resource_provider_id": object{"value": p.id}, "converted_resources": converted,
		"operation_id": operation.At("info", "id").Raw(),
	}
	p.tell(operation, status)
	return status
}

func (p *provider) tell(operation testbed.Value, status object) {
	p.t.Helper()
	p.call("UPDATE_OPERATION_STATUS", object{
		"framework_id": operation.At("framework_id").Raw(), "operation_uuid": operation.At("operation_uuid").Raw(),
		"status": status, "latest_status": status,
	})
}

// known is an operation as the provider lists it.
func known(operation testbed.Value, state string) object {
	return object{
		"framework_id": operation.At("framework_id").Raw(), "info": operation.At("info").Raw(),
		"uuid": operation.At("operation_uuid").Raw(), "latest_status": object{"state": state},
	}
}

// acknowledged waits until a status is acknowledged.
func (p *provider) acknowledged(status object) {
	p.t.Helper()
	p.Await("an acknowledgement", func(v testbed.Value) bool {
		return v.At("acknowledge_operation_status", "status_uuid", "value").Text() == status["uuid"].(object)["value"]
	})
}

// publish answers the next request to publish resources, and returns it.
func (p *provider) publish(status string) testbed.Value {
	p.t.Helper()
	event := p.Await("a publication", testbed.Type("PUBLISH_RESOURCES")).At("publish_resources")
	p.call("UPDATE_PUBLISH_RESOURCES_STATUS", object{"uuid": event.At("uuid").Raw(), "status": status})
	return event
}

// frameworkInfo is that of a framework which uses disks.
var frameworkInfo = object{
	"roles": list{"web"}, "checkpoint": true, "capabilities": list{
		object{"type": "MULTI_ROLE"}, object{"type": "PARTITION_AWARE"}, object{"type": "RESERVATION_REFINEMENT"},
	},
}

// offered takes an offer with a disk of the provider, of one type of source. Those
// without are declined: a disk alone is not offered.
func (p *provider) offered(f *testbed.Framework, source string) (offer, disk testbed.Value) {
	p.t.Helper()
	for {
		offer = f.Offer()
		disk = p.diskIn(offer.At("resources"))
		if disk.At("disk", "source", "type").Text() == source {
			return offer, disk
		}
		f.Call("DECLINE", object{"offer_ids": list{offer.At("id").Raw()}, "filters": object{"refuse_seconds": 0.0}})
	}
}

func (p *provider) diskIn(resources testbed.Value) testbed.Value {
	return resources.Find(p.id, "provider_id", "value")
}

// outcome takes the status of an operation that a framework hears of, and
// acknowledges it.
func (p *provider) outcome(f *testbed.Framework, id, state string) testbed.Value {
	p.t.Helper()
	status := f.Await(state+" of operation "+id, func(v testbed.Value) bool {
		return v.At("update_operation_status", "status", "operation_id", "value").Text() == id
	}).At("update_operation_status", "status")
	if got := status.At("state").Text(); got != state {
		p.t.Fatalf("operation %s: got %s, want %s: %v", id, got, state, status)
	}
	if got := status.At("resource_provider_id", "value").Text(); got != p.id {
		p.t.Errorf("operation %s is of provider %q, want %q", id, got, p.id)
	}
	if status.At("uuid").Exists() {
		f.Call("ACKNOWLEDGE_OPERATION_STATUS", object{
			"agent_id": status.At("agent_id").Raw(), "operation_id": object{"value": id},
			"resource_provider_id": status.At("resource_provider_id").Raw(), "uuid": status.At("uuid", "value").Raw(),
		})
	}
	return status
}

func named(id, kind, member string, body object) object {
	return object{"type": kind, "id": object{"value": id}, member: body}
}

// awaitProviders waits until the agent has so many providers that are subscribed.
func awaitProviders(t testing.TB, agent *testbed.Agent, count int) {
	t.Helper()
	testbed.Eventually(t, fmt.Sprintf("%d resource providers", count), func() error {
		if got := len(providersOf(agent).List()); got != count {
			return errors.New("it has " + fmt.Sprint(got))
		}
		return nil
	})
}

func providersOf(agent *testbed.Agent) testbed.Value {
	return agent.Ask(object{"type": "GET_RESOURCE_PROVIDERS"}).At("get_resource_providers", "resource_providers")
}
