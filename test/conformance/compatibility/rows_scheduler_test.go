package compatibility

const (
	alloc  = "masterd/allocator."
	allocs = alloc + "TestTranscripts"
)

// frameworkCapabilities are what a framework may say it can deal with.
var frameworkCapabilities = []row{
	{"REVOCABLE_RESOURCES", works, allocs, "offered to no one else; not beside the same resource that is not revocable"},
	{"TASK_KILLING_STATE", works, "agentd/executor.TestMachine", "for executors: TASK_KILLING before the end"},
	{"GPU_RESOURCES", works, sched + "TestCapabilities", "with `--filter_gpu_resources`, which is the default"},
	{"SHARED_RESOURCES", works, allocs + " " + alloc + "TestProperties", ""},
	{"PARTITION_AWARE", works, sched + "TestInvalidOffers " + sched + "TestReconciliation " + mst + "TestPartition", "without it every state of a task out of sight is TASK_LOST"},
	{"MULTI_ROLE", works, sched + "TestUpdateFramework " + sched + "TestSingleRole " + sched + "TestDriverRunsATask", "without it there is no `allocation_info` anywhere"},
	{"RESERVATION_REFINEMENT", works, allocs + " " + sched + "TestSingleRole", "without it resources are in the form before stacks of reservations, and refined ones are not offered"},
	{"REGION_AWARE", works, sched + "TestCapabilities", "agents of other regions than the master's are for such frameworks only"},
}

// validationRules are what is checked of what frameworks send, and what they
// are told.
var validationRules = []row{
	{"FrameworkInfo", works, mst + "TestFrameworkValidation " + sched + "TestDriverIsRefused", "ERROR, or 400 to UPDATE_FRAMEWORK: roles and `--roles`, ID, failover timeout, offer filters, `--root_submissions`"},
	{"changed FrameworkInfo", works, sched + "TestUpdateFramework " + mst + "TestTranscripts", "principal; user and checkpoint (kept as they were in SUBSCRIBE)"},
	{"suppressed roles, offer constraints", works, sched + "TestUpdateFramework " + sched + "TestOfferConstraints", "for own roles; `--offer_constraints_re2_max_*`"},
	{"form of calls", works, mst + "TestCallValidation " + fl + "TestBadCalls " + oper + "TestOddCalls", "400"},
	{"sender of calls", works, sched + "TestStatuses " + sched + "TestSchedulerChangesDialect", "400 or 403; drivers: dropped, or ERROR"},
	{"offers of an ACCEPT", works, sched + "TestInvalidOffers", "TASK_DROPPED or TASK_LOST, REASON_INVALID_OFFERS"},
	{"tasks", works, mst + "TestTaskValidation " + sched + "TestInvalidTasks", "TASK_ERROR, REASON_TASK_INVALID: IDs, agent, resources, limits, commands, containers, checks"},
	{"task groups", works, mst + "TestGroupValidation " + sched + "TestInvalidTasks", "TASK_ERROR, REASON_TASK_GROUP_INVALID, for all of them"},
	{"executors", works, mst + "TestExecutorInUse " + mst + "TestTaskValidation", ""},
	{"operations on reservations, volumes and disks", works, mst + "TestOperationValidation", "OPERATION_ERROR if the operation has an ID"},
	{"resources", works, "internal/resources.TestValidate", ""},
	{"rates of native drivers", works, sched + "TestDriverOverItsRate", "ERROR for a message over the capacity of `--rate_limits`"},
	{"agents", works, mst + "TestAgentValidation " + mst + "TestReregistrationValidation", "dropped"},
}
