package compatibility

// Statuses of a row.
const (
	works   = "works"
	partly  = "partly"
	ignored = "no effect"
	refused = "refused"
	notYet  = "not yet"
)

// row is a line of a table.
type row struct {
	name   string
	status string
	// proof is "package.Test", several separated by spaces.
	proof string
	note  string
}

const (
	fl   = "test/conformance/firstlight."
	mst  = "masterd/state."
	mapi = "masterd/httpapi."
	ast  = "agentd/state."
	aapi = "agentd/httpapi."
	xctr = "agentd/executor."
	ctr  = "test/conformance/agent."
	prov = "test/conformance/provider."
)

var schedulerCalls = []row{
	{"SUBSCRIBE", works, fl + "TestPath " + fl + "TestSecondSubscription " + fl + "TestRefusedSubscriptions " + sched + "TestSuppressedFromTheBeginning " + sched + "TestOfferConstraints", ""},
	{"TEARDOWN", works, fl + "TestTeardown " + sched + "TestRemovedFramework", ""},
	{"ACCEPT", works, fl + "TestPath " + fl + "TestOverUse " + sched + "TestInvalidOffers " + sched + "TestOffersTogether", "see operations"},
	{"DECLINE", works, fl + "TestDeclineSuppressRevive", ""},
	{"REVIVE", works, fl + "TestDeclineSuppressRevive", ""},
	{"SUPPRESS", works, fl + "TestDeclineSuppressRevive", ""},
	{"KILL", works, fl + "TestKill " + sched + "TestExecutorCalls", ""},
	{"SHUTDOWN", works, sched + "TestExecutorCalls", ""},
	{"ACKNOWLEDGE", works, fl + "TestPath " + fl + "TestUpdatesAreRetried", ""},
	{"RECONCILE", works, fl + "TestReconcile " + sched + "TestReconciliation", ""},
	{"MESSAGE", works, sched + "TestExecutorCalls", "our own executors have no use for it"},
	{"REQUEST", ignored, sched + "TestDriverAsks", "as in Mesos, whose allocator ignores it"},
	{"ACCEPT_INVERSE_OFFERS", works, oper + "TestMaintenance " + mst + "TestTranscripts", ""},
	{"DECLINE_INVERSE_OFFERS", works, oper + "TestMaintenance " + mst + "TestTranscripts", ""},
	{"ACKNOWLEDGE_OPERATION_STATUS", works, sched + "TestOperationFeedback " + ast + "TestOperationTranscripts", ""},
	{"RECONCILE_OPERATIONS", works, fl + "TestReconcileOperations " + sched + "TestOperationFeedback", ""},
	{"UPDATE_FRAMEWORK", works, fl + "TestUpdateFramework " + sched + "TestUpdateFramework", ""},
}

var operations = []row{
	{"LAUNCH", works, fl + "TestPath " + mst + "TestTaskValidation", ""},
	{"LAUNCH_GROUP", works, ctr + "TestGroup " + ctr + "TestGroupFails " + mst + "TestGroupValidation", "custom executors and the default executor"},
	{"RESERVE", works, sched + "TestVolumes " + mst + "TestTranscripts " + mst + "TestOperationValidation", "to child roles (refinement), too; `source` is for operators only, as in Mesos"},
	{"UNRESERVE", works, sched + "TestVolumes " + mst + "TestOperationValidation", ""},
	{"CREATE", works, sched + "TestVolumes " + mst + "TestOperationValidation", "on the root disk, PATH and MOUNT disks; shared volumes"},
	{"DESTROY", works, sched + "TestVolumes " + mst + "TestOperationValidation", ""},
	{"GROW_VOLUME", works, sched + "TestResizedVolume " + mst + "TestOperationValidation", ""},
	{"SHRINK_VOLUME", works, sched + "TestResizedVolume " + mst + "TestTranscripts", "no disk is lost beside plain reserved disk, unlike in Mesos"},
	{"CREATE_DISK, DESTROY_DISK", works, prov + "TestDisk " + prov + "TestKilled " + mst + "TestOperationProperties", "on the resources of resource providers"},
}

var schedulerEvents = []row{
	{"SUBSCRIBED", works, fl + "TestPath", ""},
	{"HEARTBEAT", works, fl + "TestPath", "at once after SUBSCRIBED, then every 15 s"},
	{"OFFERS", works, fl + "TestPath " + fl + "TestPlainFramework", ""},
	{"INVERSE_OFFERS", works, oper + "TestMaintenance " + mst + "TestTranscripts", ""},
	{"RESCIND", works, sched + "TestOfferTimeout " + sched + "TestUpdateFramework", "when an agent leaves or an offer times out"},
	{"RESCIND_INVERSE_OFFER", works, mst + "TestTranscripts", ""},
	{"UPDATE", works, fl + "TestPath " + fl + "TestUpdatesAreRetried", ""},
	{"UPDATE_OPERATION_STATUS", works, sched + "TestOperationFeedback " + fl + "TestReconcileOperations", "repeated by the agent until it is acknowledged"},
	{"MESSAGE", works, sched + "TestExecutorCalls", ""},
	{"FAILURE", works, fl + "TestAgentStaysAway " + sched + "TestExecutorCalls", ""},
	{"ERROR", works, fl + "TestRefusedSubscriptions " + fl + "TestSecondSubscription", ""},
}

var executorCalls = []row{
	{"SUBSCRIBE", works, aapi + "TestExecutorAPI " + fl + "TestAgentIsKilled", ""},
	{"UPDATE", works, aapi + "TestExecutorAPI " + fl + "TestPath", ""},
	{"MESSAGE", works, aapi + "TestExecutorAPI", ""},
	{"HEARTBEAT", works, aapi + "TestExecutorAPIRefuses", ""},
}

var executorEvents = []row{
	{"SUBSCRIBED", works, aapi + "TestExecutorAPI", ""},
	{"LAUNCH", works, aapi + "TestExecutorAPI " + xctr + "TestMachine", ""},
	{"LAUNCH_GROUP", works, ctr + "TestGroup " + ast + "TestTranscripts", ""},
	{"KILL", works, fl + "TestKill " + xctr + "TestMachine", ""},
	{"ACKNOWLEDGED", works, aapi + "TestExecutorAPI " + xctr + "TestMachine", ""},
	{"MESSAGE", works, ast + "TestTranscripts", ""},
	{"SHUTDOWN", works, fl + "TestTeardown", ""},
	{"ERROR", notYet, "", "the agent refuses by status instead"},
	{"HEARTBEAT", works, "", "every 30 minutes, as in Mesos"},
}

var providerCalls = []row{
	{"SUBSCRIBE", works, prov + "TestIdentity " + prov + "TestAccess " + ast + "TestProviderTranscripts", "an ID outlives agent and provider; a second stream ends the first"},
	{"UPDATE_OPERATION_STATUS", works, prov + "TestDisk " + prov + "TestKilled " + ast + "TestForeignCalls", ""},
	{"UPDATE_STATE", works, prov + "TestDisk " + prov + "TestUnacknowledged " + ast + "TestForeignCalls", ""},
	{"UPDATE_PUBLISH_RESOURCES_STATUS", works, prov + "TestDisk " + prov + "TestPublicationFails", ""},
}

var providerEvents = []row{
	{"SUBSCRIBED", works, prov + "TestIdentity", ""},
	{"APPLY_OPERATION", works, prov + "TestDisk", ""},
	{"PUBLISH_RESOURCES", works, prov + "TestDisk " + ast + "TestProviderTranscripts", "names all that tasks use of the provider"},
	{"ACKNOWLEDGE_OPERATION_STATUS", works, prov + "TestDisk " + prov + "TestUnacknowledged", ""},
	{"RECONCILE_OPERATIONS", works, prov + "TestDropped " + ast + "TestProviderTranscripts", ""},
	{"TEARDOWN", works, prov + "TestGone", ""},
}

// masterMessages are what agents and native drivers send to masters.
var masterMessages = map[string]row{
	"mesos.scheduler.Call":                              {proof: fl + "TestNativeDriver"},
	"mesos.internal.RegisterFrameworkMessage":           {proof: fl + "TestOldDriver"},
	"mesos.internal.ReregisterFrameworkMessage":         {proof: sched + "TestDriverReregisters"},
	"mesos.internal.LaunchTasksMessage":                 {proof: fl + "TestOldDriver"},
	"mesos.internal.KillTaskMessage":                    {proof: fl + "TestOldDriver"},
	"mesos.internal.RegisterSlaveMessage":               {proof: fl + "TestForeignAgent"},
	"mesos.internal.ReregisterSlaveMessage":             {proof: fl + "TestMasterIsKilled"},
	"mesos.internal.UpdateSlaveMessage":                 {proof: fl + "TestForeignMaster"},
	"mesos.internal.StatusUpdateMessage":                {proof: fl + "TestForeignAgent"},
	"mesos.internal.PongSlaveMessage":                   {proof: fl + "TestForeignAgent"},
	"mesos.internal.AuthenticateMessage":                {status: works, proof: sec + "TestDriversAuthenticate", note: "and the four that follow it"},
	"mesos.internal.UpdateOperationStatusMessage":       {proof: sched + "TestOperationFeedback"},
	"mesos.internal.StatusUpdateAcknowledgementMessage": {proof: sched + "TestDriverRunsATask"},
	"mesos.internal.UnregisterFrameworkMessage":         {proof: sched + "TestDriverRegisters"},
	"mesos.internal.DeactivateFrameworkMessage":         {proof: sched + "TestDriverRegisters"},
	"mesos.internal.ResourceRequestMessage":             {proof: sched + "TestDriverAsks"},
	"mesos.internal.ReviveOffersMessage":                {proof: sched + "TestDriverSuppresses"},
	"mesos.internal.FrameworkToExecutorMessage":         {proof: sched + "TestDriverTalksToExecutors"},
	"mesos.internal.ReconcileTasksMessage":              {proof: sched + "TestDriverReconciles"},
	"mesos.internal.UnregisterSlaveMessage":             {proof: sched + "TestDriverLosesAnAgent"},
	"mesos.internal.ExecutorToFrameworkMessage":         {proof: sched + "TestExecutorCalls"},
	"mesos.internal.ExitedExecutorMessage":              {proof: sched + "TestExecutorCalls"},
}

// agentMessages are what masters send to agents.
var agentMessages = []row{
	{"mesos.internal.SlaveRegisteredMessage", works, fl + "TestForeignMaster", ""},
	{"mesos.internal.SlaveReregisteredMessage", works, fl + "TestMasterIsKilled", ""},
	{"mesos.internal.PingSlaveMessage", works, fl + "TestForeignMaster", ""},
	{"mesos.internal.RunTaskMessage", works, fl + "TestForeignMaster", ""},
	{"mesos.internal.RunTaskGroupMessage", works, ctr + "TestGroup " + ast + "TestTranscripts", ""},
	{"mesos.internal.KillTaskMessage", works, fl + "TestKill", ""},
	{"mesos.internal.StatusUpdateAcknowledgementMessage", works, fl + "TestForeignMaster", ""},
	{"mesos.internal.ShutdownFrameworkMessage", works, fl + "TestTeardown", ""},
	{"mesos.internal.ShutdownExecutorMessage", works, ast + "TestTranscripts", ""},
	{"mesos.internal.ShutdownMessage", works, fl + "TestForeignMaster", ""},
	{"mesos.internal.FrameworkToExecutorMessage", works, ast + "TestTranscripts", ""},
	{"mesos.internal.UpdateFrameworkMessage", works, ast + "TestTranscripts", ""},
	{"mesos.internal.DrainSlaveMessage", works, oper + "TestDrain " + ast + "TestTranscripts", ""},
	{"mesos.internal.CheckpointResourcesMessage", works, ast + "TestOperationTranscripts", "to agents without the capability RESOURCE_PROVIDER"},
	{"mesos.internal.ApplyOperationMessage", works, sched + "TestVolumes " + ast + "TestOperationTranscripts", ""},
	{"mesos.internal.AcknowledgeOperationStatusMessage", works, ast + "TestOperationTranscripts", ""},
	{"mesos.internal.ReconcileOperationsMessage", works, ast + "TestOperationTranscripts", ""},
	{"mesos.internal.RegisterExecutorMessage", works, ctr + "TestDriverExecutor", "from executors of the native driver"},
	{"mesos.internal.ReregisterExecutorMessage", works, ctr + "TestDriverExecutor", "likewise, asked for by ReconnectExecutorMessage"},
	{"mesos.internal.StatusUpdateMessage", works, ctr + "TestDriverExecutor", "likewise"},
	{"mesos.internal.ExecutorToFrameworkMessage", works, ctr + "TestDriverExecutor", "likewise"},
}

// isolators are those of Mesos, and whether --isolation takes them.
var isolators = []string{
	"appc/runtime", "cgroups/all", "cgroups/blkio", "cgroups/cpu", "cgroups/cpuset", "cgroups/devices", "cgroups/hugetlb",
	"cgroups/mem", "cgroups/net_cls", "cgroups/net_prio", "cgroups/perf_event", "cgroups/pids", "disk/du", "disk/xfs",
	"docker/runtime", "docker/volume", "environment_secret", "filesystem/linux", "filesystem/posix", "filesystem/shared",
	"gpu/nvidia", "linux/capabilities", "linux/devices", "linux/nnp", "linux/seccomp", "namespaces/ipc", "namespaces/pid",
	"network/cni", "network/port_mapping", "network/ports", "posix/cpu", "posix/disk", "posix/mem", "posix/rlimits",
	"volume/csi", "volume/host_path", "volume/image", "volume/sandbox_path", "volume/secret",
}

// agentProofs are the tests of the agent's calls; "" is that of all others.
var agentProofs = map[string]string{
	"": aapi + "TestGoldenCalls", "SET_LOGGING_LEVEL": aapi + "TestOperatorAPI " + ctr + "TestProcessCalls",
	"GET_FLAGS": aapi + "TestGoldenCalls " + ctr + "TestProcessCalls", "GET_METRICS": aapi + "TestGoldenCalls " + ctr + "TestProcessCalls",
	"GET_LOGGING_LEVEL":               aapi + "TestGoldenCalls " + ctr + "TestProcessCalls",
	"GET_CONTAINERS":                  aapi + "TestGoldenCalls " + ctr + "TestNested " + ctr + "TestStandalone",
	"LAUNCH_NESTED_CONTAINER":         ctr + "TestNested " + ctr + "TestNestedRefused",
	"LAUNCH_NESTED_CONTAINER_SESSION": ctr + "TestSession",
	"ATTACH_CONTAINER_INPUT":          ctr + "TestSession " + ctr + "TestTerminal",
	"ATTACH_CONTAINER_OUTPUT":         ctr + "TestSession " + ctr + "TestTerminal",
	"WAIT_NESTED_CONTAINER":           ctr + "TestNested " + ctr + "TestNestedRefused",
	"KILL_NESTED_CONTAINER":           ctr + "TestNested " + ctr + "TestNestedRefused",
	"REMOVE_NESTED_CONTAINER":         ctr + "TestNested " + ctr + "TestNestedRefused",
	"LAUNCH_CONTAINER":                ctr + "TestNested " + ctr + "TestStandalone " + ctr + "TestNestedRefused",
	"WAIT_CONTAINER":                  ctr + "TestNested " + ctr + "TestStandalone",
	"KILL_CONTAINER":                  ctr + "TestNested " + ctr + "TestStandalone",
	"GET_RESOURCE_PROVIDERS":          aapi + "TestGoldenCalls " + prov + "TestIdentity " + prov + "TestAccess",
	"GET_OPERATIONS":                  aapi + "TestGoldenCalls " + prov + "TestDisk",
	"MARK_RESOURCE_PROVIDER_GONE":     prov + "TestGone " + prov + "TestAccess",
	"ADD_RESOURCE_PROVIDER_CONFIG":    prov + "TestConfigs agentd/providerconfig.TestDir",
	"UPDATE_RESOURCE_PROVIDER_CONFIG": prov + "TestConfigs agentd/providerconfig.TestDir",
	"REMOVE_RESOURCE_PROVIDER_CONFIG": prov + "TestConfigs agentd/providerconfig.TestDir",
	"REMOVE_CONTAINER":                ctr + "TestNested " + ctr + "TestStandalone",
	"PRUNE_IMAGES":                    ctr + "TestPruneImages agentd/containerizer/mesos.TestPruneImages agentd/containerizer/provisioner/store/docker.TestPrune",
}

// endpointProofs are the tests of endpoints that the shapes don't cover.
var endpointProofs = map[string]string{
	"/api/v1":                   oper + "TestHowCallsAreRefused",
	"/api/v1/scheduler":         fl + "TestPath",
	"/api/v1/executor":          aapi + "TestExecutorAPI",
	"/api/v1/resource_provider": prov + "TestRefusals",
	"/teardown":                 fl + "TestTeardown",
	"/weights":                  oper + "TestWeightsEndpoint",
	"/quota":                    oper + "TestQuotaEndpoint",
	"/reserve":                  oper + "TestReservationEndpoints",
	"/unreserve":                oper + "TestReservationEndpoints",
	"/create-volumes":           oper + "TestReservationEndpoints",
	"/destroy-volumes":          oper + "TestReservationEndpoints",
	"/roles":                    oper + "TestQuotaIsEnforced",
	"/maintenance/schedule":     oper + "TestMaintenanceEndpoints",
	"/maintenance/status":       oper + "TestMaintenanceEndpoints",
	"/machine/down":             oper + "TestMaintenanceEndpoints",
	"/machine/up":               oper + "TestMaintenanceEndpoints",
	"/state-summary":            mapi + "TestBusyMasterLooksLikeMesos",
	"/slaves":                   oper + "TestParameters",
	"/frameworks":               oper + "TestParameters",
	"/tasks":                    oper + "TestParameters",
	"/redirect":                 oper + "TestRouting",
	"/help":                     oper + "TestProcessEndpoints",
	"/files/browse":             "internal/files.TestBrowseEndpoint",
	"/files/read":               fl + "TestPath internal/files.TestReadEndpoint",
	"/files/download":           "internal/files.TestDownloadEndpoint",
	"/files/debug":              "internal/files.TestDebugEndpoint",
	"/metrics/snapshot":         oper + "TestMetrics " + aapi + "TestMetricNames",
	"/logging/toggle":           oper + "TestProcessEndpoints " + aapi + "TestEndpoints",
	"/system/stats.json":        oper + "TestProcessEndpoints",
	"/registrar(1)/registry":    "masterd/app.TestMigration",
	"/profiler/start":           oper + "TestProfilers internal/profiler.TestCPU",
	"/profiler/stop":            oper + "TestProfilers internal/profiler.TestCPU",
	"/memory-profiler/start":    oper + "TestProfilers internal/profiler.TestMemory",
	"/memory-profiler/stop":     oper + "TestProfilers internal/profiler.TestMemory",

	"/memory-profiler/download/raw":   oper + "TestProfilers",
	"/memory-profiler/download/text":  oper + "TestProfilers",
	"/memory-profiler/download/graph": "internal/profiler.TestMemory",
	"/memory-profiler/statistics":     oper + "TestProfilers",
	"/memory-profiler/state":          oper + "TestProfilers",
	"/containerizer/debug":            aapi + "TestEndpoints",
}

// rareMetrics are counters that appear when something happens that would take the
// probe too long.
var rareMetrics = []string{
	"master/task_lost/source_master/reason_slave_removed", "master/task_lost/source_slave/reason_executor_terminated",
	// Of operations on resource providers: test/conformance/provider.TestDisk.
	"resource_providers/<type>.<name>/operations/<operation>/pending", "resource_providers/<type>.<name>/operations/<operation>/finished",
	"resource_providers/<type>.<name>/operations/<operation>/failed", "resource_providers/<type>.<name>/operations/<operation>/dropped",
}

// callNotes say which calls of the operator API are refused, and why.
var callNotes = map[string]string{
	"ADD_RESOURCE_PROVIDER_CONFIG":    "for every type: the agent starts no providers by itself",
	"UPDATE_RESOURCE_PROVIDER_CONFIG": "likewise",
}
