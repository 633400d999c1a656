package operator

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// What happened is what metrics say, as JSON and as Prometheus's text.
func TestMetrics(t *testing.T) {
	master := testbed.StartMaster(t)
	agent := testbed.StartAgent(t, master.Address, testbed.Posix)
	awaitAgents(t, master, 1)
	framework := testbed.Subscribe(t, master, testbed.FrameworkOptions{Info: object{"name": `my "own"/framework`, "roles": list{"eng/web"}}})
	framework.Run("t-done", "true")
	framework.Follow("t-done", "TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED")
	rest := framework.Offer()
	framework.Call("ACCEPT", object{ // and leave what is left to others
		"offer_ids": list{rest.At("id").Raw()}, "filters": object{"refuse_seconds": 3600.0},
		"operations": list{testbed.Launch(testbed.Task(rest, "t-sleep", testbed.NewSleeper().Command()))},
	})
	framework.Follow("t-sleep", "TASK_STARTING", "TASK_RUNNING")
	// An offer that nobody made, by a framework to which lost tasks are lost.
	old := testbed.Subscribe(t, master, testbed.FrameworkOptions{Info: object{"capabilities": nil, "roles": nil, "role": "*"}})
	offer := old.Offer()
	task := testbed.Task(offer, "t-lost", "true")
	old.Call("ACCEPT", object{"offer_ids": list{object{"value": "nobody's"}}, "operations": list{testbed.Launch(task)}})
	old.Update("t-lost", "TASK_LOST")
	stream := watchEvents(t, master, testbed.JSON)
	stream.Await("SUBSCRIBED", testbed.Type("SUBSCRIBED"))
	client{t, master, testbed.JSON}.ok("UPDATE_QUOTA", quotas(quotaConfig("eng", nil, amounts("cpus", 3))))

	prefix := "master/frameworks/my%20%22own%22%2Fframework/" + framework.ID + "/"
	wanted := map[string]float64{
		"master/elected": 1, "master/slaves_active": 1, "master/slaves_connected": 1, "master/slaves_disconnected": 0,
		"master/slave_registrations": 1, "master/frameworks_active": 2, "master/frameworks_connected": 2,
		"master/tasks_finished": 1, "master/tasks_running": 1, "master/tasks_lost": 1, "master/tasks_staging": 0,
		"master/task_lost/source_master/reason_invalid_offers": 1,
		"master/operator_event_stream_subscribers":             1,
		"master/cpus_total": 4, "master/mem_total": 2048, "master/cpus_used": 0.1, "master/mem_used": 32, "master/cpus_percent": 0.025,
		"master/messages_launch_tasks": 3, "master/messages_register_slave": 1, "master/messages_register_framework": 2,
		"master/valid_status_updates": 5, "master/messages_status_update": 5, "master/valid_status_update_acknowledgements": 5,
		prefix + "subscribed": 1, prefix + "calls/accept": 2, prefix + "calls/acknowledge": 5, prefix + "calls": 8,
		prefix + "events/update": 5, prefix + "operations/launch": 2, prefix + "tasks/active/task_running": 1,
		prefix + "tasks/terminal/task_finished": 1, prefix + "offers/accepted": 2, prefix + "roles/eng/web/suppressed": 0,
		"allocator/mesos/resources/cpus/total":                    4,
		"registrar/log/recovered":                                 1,
		"allocator/mesos/offer_filters/roles/eng/web/active":      1,
		"master/recovery_slave_removals":                          0,
		"master/operations/total":                                 0,
		"master/slave_removals/reason_unhealthy":                  0,
		"master/frameworks_disconnected":                          0,
		"master/invalid_status_updates":                           0,
		"master/dropped_messages":                                 0,
		"master/slaves_unreachable":                               0,
		"master/event_queue_http_requests":                        0,
		prefix + "tasks/terminal/task_failed":                     0,
		prefix + "events/subscribed":                              1,
		prefix + "events/error":                                   0,
		prefix + "calls/subscribe":                                1,
		"master/messages_unregister_slave":                        0,
		"allocator/mesos/resources/disk/total":                    4096,
		"master/gpus_total":                                       0,
		"master/cpus_revocable_total":                             0,
		"master/frameworks_inactive":                              0,
		"master/slave_unreachable_scheduled":                      0,
		"master/valid_framework_to_executor_messages":             0,
		"master/messages_deactivate_framework":                    0,
		"master/invalid_operation_status_update_acknowledgements": 0,
	}
	var snapshot testbed.Value
	testbed.Eventually(t, "the metrics are true", func() error {
		snapshot = master.Get("/metrics/snapshot")
		var wrong []error
		for name, want := range wanted {
			if got := snapshot.At(name); got.Kind() != "double" || got.Number() != want {
				wrong = append(wrong, fmt.Errorf("%s is %v, want %v", name, got, want))
			}
		}
		return errors.Join(wrong...)
	})
	for _, name := range []string{
		"master/uptime_secs", "allocator/mesos/allocation_runs", "allocator/mesos/allocation_run_ms", "allocator/mesos/allocation_run_ms/p99",
		"allocator/mesos/allocation_run_ms/count", "allocator/mesos/allocation_run_latency_ms/p50", "registrar/state_fetch_ms",
		"registrar/state_store_ms", "registrar/registry_size_bytes", "system/mem_total_bytes", "system/cpus_total",
	} {
		if got := snapshot.At(name); got.Number() <= 0 {
			t.Errorf("%s is %v", name, got)
		}
	}
	t.Run("Prometheus", func(t *testing.T) { checkPrometheus(t, master, agent, snapshot) })
}

func checkPrometheus(t *testing.T, master *testbed.Master, agent *testbed.Agent, snapshot testbed.Value) {
	families := map[string]map[string]*dto.MetricFamily{}
	for _, p := range []*testbed.Process{master.Process, agent.Process} {
		answer := testbed.Do(t, "GET", p.URL("/metrics"), nil, nil)
		if answer.Status != 200 || !strings.HasPrefix(answer.Header.Get("Content-Type"), "text/plain") {
			t.Fatalf("%s: %d %v", p.Name, answer.Status, answer.Header)
		}
		parser := expfmt.NewTextParser(model.LegacyValidation)
		parsed, err := parser.TextToMetricFamilies(bytes.NewReader(answer.Body))
		if err != nil {
			t.Fatalf("%s: %v", p.Name, err)
		}
		families[p.Name] = parsed
		for name, family := range parsed {
			if counter := family.GetType() == dto.MetricType_COUNTER; counter != strings.HasSuffix(name, "_total") && strings.HasPrefix(name, "mesos_") &&
				!gaugesCalledTotal[name] && !strings.HasPrefix(name, "mesos_master_operations_") {
				t.Errorf("%s is a %v", name, family.GetType())
			}
		}
	}
	of := families[master.Name]
	samples := 0
	for name, family := range of {
		if strings.HasPrefix(name, "mesos_") {
			samples += len(family.GetMetric())
		}
	}
	if most := len(snapshot.Members()); samples < most/2 {
		t.Errorf("%d samples of %d metrics", samples, most)
	}
	for name, want := range map[string]float64{
		"mesos_master_slaves_active": 1, "mesos_master_tasks_finished_total": 1, "mesos_master_mem_total": 2048,
	} {
		m := of[name].GetMetric()
		if len(m) != 1 || m[0].GetGauge().GetValue()+m[0].GetCounter().GetValue() != want {
			t.Errorf("%s is %v, want %v", name, m, want)
		}
	}
	labels := map[string]string{}
	for _, l := range of["mesos_master_framework_subscribed"].GetMetric()[0].GetLabel() {
		labels[l.GetName()] = l.GetValue()
	}
	if labels["framework_name"] == "" || labels["framework_id"] == "" {
		t.Errorf("labels %v", labels)
	}
	if m := of["mesos_allocator_mesos_allocation_run_seconds"]; m.GetType() != dto.MetricType_SUMMARY ||
		m.GetMetric()[0].GetSummary().GetSampleCount() == 0 {
		t.Errorf("the timer is %v", m)
	}
}

// gaugesCalledTotal have names in Mesos that end like those of counters.
var gaugesCalledTotal = map[string]bool{
	"mesos_master_cpus_total": true, "mesos_master_mem_total": true, "mesos_master_disk_total": true, "mesos_master_gpus_total": true,
	"mesos_master_cpus_revocable_total": true, "mesos_master_mem_revocable_total": true,
	"mesos_master_disk_revocable_total": true, "mesos_master_gpus_revocable_total": true,
	"mesos_slave_cpus_total": true, "mesos_slave_mem_total": true, "mesos_slave_disk_total": true, "mesos_slave_gpus_total": true,
	"mesos_slave_cpus_revocable_total": true, "mesos_slave_mem_revocable_total": true,
	"mesos_slave_disk_revocable_total": true, "mesos_slave_gpus_revocable_total": true,
	"mesos_system_cpus_total": true, "mesos_allocator_mesos_resource_total": true,
}
