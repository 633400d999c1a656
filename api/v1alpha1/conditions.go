package v1alpha1

// Condition types of a MesosCluster. Ready, Progressing and Degraded read as kstatus,
// Argo CD and Flux expect them to.
const (
	// ConditionReady is true when a leading master answers, every master is ready
	// and every wanted agent is registered with it.
	ConditionReady = "Ready"
	// ConditionMastersReady is true when every master is ready and one leads.
	ConditionMastersReady = "MastersReady"
	// ConditionAgentsReady is true when every wanted agent is registered with the leading master.
	ConditionAgentsReady = "AgentsReady"
	// ConditionProgressing is true while a change is being carried out.
	ConditionProgressing = "Progressing"
	// ConditionDegraded is true when what worked no longer does, or a change was refused.
	ConditionDegraded = "Degraded"
)

// Reasons of the conditions.
const (
	ReasonReady              = "Ready"
	ReasonMastersNotReady    = "MastersNotReady"
	ReasonQuorumLost         = "QuorumLost"
	ReasonNoLeader           = "NoLeader"
	ReasonLeaderUnreachable  = "LeaderUnreachable"
	ReasonAgentsNotReady     = "AgentsNotReady"
	ReasonAgentsUnregistered = "AgentsUnregistered"
	ReasonNoPools            = "NoPools"
	ReasonNoNodes            = "NoNodes"
	ReasonRollingOut         = "RollingOut"
	ReasonScalingMasters     = "ScalingMasters"
	ReasonUpgradingMasters   = "UpgradingMasters"
	ReasonStable             = "Stable"
	ReasonHealthy            = "Healthy"
	ReasonApplyFailed        = "ApplyFailed"
	ReasonDeleting           = "Deleting"
)
