package acl

import "strconv"

// Action is something that may need leave.
type Action int

// The actions of Mesos's authorizer.
const (
	RegisterFramework Action = iota
	RunTask
	TeardownFramework
	ReserveResources
	UnreserveResources
	CreateVolume
	DestroyVolume
	ResizeVolume
	GetEndpoint
	ViewRole
	UpdateWeight
	GetQuota
	UpdateQuota
	ViewFramework
	ViewTask
	ViewExecutor
	AccessSandbox
	AccessMesosLog
	ViewFlags
	LaunchNestedContainer
	KillNestedContainer
	WaitNestedContainer
	RemoveNestedContainer
	LaunchNestedContainerSession
	AttachContainerInput
	AttachContainerOutput
	ViewContainer
	SetLogLevel
	RegisterAgent
	UpdateMaintenanceSchedule
	GetMaintenanceSchedule
	StartMaintenance
	StopMaintenance
	GetMaintenanceStatus
	DrainAgent
	DeactivateAgent
	ReactivateAgent
	MarkAgentGone
	LaunchStandaloneContainer
	KillStandaloneContainer
	WaitStandaloneContainer
	RemoveStandaloneContainer
	ViewStandaloneContainer
	ModifyResourceProviderConfig
	MarkResourceProviderGone
	ViewResourceProvider
	PruneImages
	CreateBlockDisk
	DestroyBlockDisk
	CreateMountDisk
	DestroyMountDisk
	DestroyRawDisk

	actionCount
)

// action says where the rules of an action are, and how they are read.
type action struct {
	// list is the field of ACLs. parent is a second one, about the executor
	// that a container is launched under; both must allow it.
	list, parent string
	// roles: an object "a/%" stands for all roles below a.
	roles bool
	// whole: objects can't be told apart, so rules must say ANY or NONE.
	whole bool
	// executor and provider: a token without a name may do this to containers
	// of its own.
	executor, provider bool
}

var actions = [actionCount]action{
	RegisterFramework:  {list: "register_frameworks", roles: true},
	RunTask:            {list: "run_tasks"},
	TeardownFramework:  {list: "teardown_frameworks"},
	ReserveResources:   {list: "reserve_resources", roles: true},
	UnreserveResources: {list: "unreserve_resources"},
	CreateVolume:       {list: "create_volumes", roles: true},
	DestroyVolume:      {list: "destroy_volumes"},
	ResizeVolume:       {list: "resize_volumes", roles: true},
	GetEndpoint:        {list: "get_endpoints"},
	ViewRole:           {list: "view_roles", roles: true},
	UpdateWeight:       {list: "update_weights", roles: true},
	GetQuota:           {list: "get_quotas", roles: true},
	UpdateQuota:        {list: "update_quotas", roles: true},
	ViewFramework:      {list: "view_frameworks"},
	ViewTask:           {list: "view_tasks"},
	ViewExecutor:       {list: "view_executors"},
	AccessSandbox:      {list: "access_sandboxes"},
	AccessMesosLog:     {list: "access_mesos_logs", whole: true},
	ViewFlags:          {list: "view_flags", whole: true},

	LaunchNestedContainer: {list: "launch_nested_containers_as_user",
		parent: "launch_nested_containers_under_parent_with_user", executor: true},
	LaunchNestedContainerSession: {list: "launch_nested_container_sessions_as_user",
		parent: "launch_nested_container_sessions_under_parent_with_user", executor: true},
	KillNestedContainer:   {list: "kill_nested_containers", executor: true},
	WaitNestedContainer:   {list: "wait_nested_containers", executor: true},
	RemoveNestedContainer: {list: "remove_nested_containers", executor: true},
	AttachContainerInput:  {list: "attach_containers_input"},
	AttachContainerOutput: {list: "attach_containers_output", executor: true},
	ViewContainer:         {list: "view_containers"},

	SetLogLevel:               {list: "set_log_level", whole: true},
	RegisterAgent:             {list: "register_agents", whole: true},
	UpdateMaintenanceSchedule: {list: "update_maintenance_schedules", whole: true},
	GetMaintenanceSchedule:    {list: "get_maintenance_schedules", whole: true},
	StartMaintenance:          {list: "start_maintenances", whole: true},
	StopMaintenance:           {list: "stop_maintenances", whole: true},
	GetMaintenanceStatus:      {list: "get_maintenance_statuses", whole: true},
	DrainAgent:                {list: "drain_agents", whole: true},
	DeactivateAgent:           {list: "deactivate_agents", whole: true},
	ReactivateAgent:           {list: "reactivate_agents", whole: true},
	// Mesos doesn't check that these are ANY or NONE; values never fit.
	MarkAgentGone: {list: "mark_agents_gone"},

	LaunchStandaloneContainer:    {list: "launch_standalone_containers", whole: true, provider: true},
	KillStandaloneContainer:      {list: "kill_standalone_containers", whole: true, provider: true},
	WaitStandaloneContainer:      {list: "wait_standalone_containers", whole: true, provider: true},
	RemoveStandaloneContainer:    {list: "remove_standalone_containers", whole: true, provider: true},
	ViewStandaloneContainer:      {list: "view_standalone_containers", whole: true, provider: true},
	ModifyResourceProviderConfig: {list: "modify_resource_provider_configs", whole: true},
	MarkResourceProviderGone:     {list: "mark_resource_providers_gone", whole: true},
	ViewResourceProvider:         {list: "view_resource_providers", whole: true},
	PruneImages:                  {list: "prune_images", whole: true},

	CreateBlockDisk:  {list: "create_block_disks", roles: true},
	DestroyBlockDisk: {list: "destroy_block_disks", roles: true},
	CreateMountDisk:  {list: "create_mount_disks", roles: true},
	DestroyMountDisk: {list: "destroy_mount_disks", roles: true},
	DestroyRawDisk:   {list: "destroy_raw_disks", roles: true},
}

// String is the name of the action's list in --acls.
func (a Action) String() string {
	if a < 0 || a >= actionCount {
		return "action " + strconv.Itoa(int(a))
	}
	return actions[a].list
}
