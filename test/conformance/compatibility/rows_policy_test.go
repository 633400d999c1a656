package compatibility

const oper = "test/conformance/operator."

// policyProofs are the tests of the calls by which operators set policy.
var policyProofs = map[string]string{
	"UPDATE_WEIGHTS": oper + "TestWeights " + oper + "TestWeightsRescind " + mst + "TestTranscripts",
	"GET_WEIGHTS":    oper + "TestWeights",
	"UPDATE_QUOTA":   oper + "TestQuota " + oper + "TestQuotaIsEnforced " + oper + "TestQuotaGuarantee " + mst + "TestTranscripts",
	"GET_QUOTA":      oper + "TestQuota",
	"SET_QUOTA":      oper + "TestQuotaEndpoint",
	"REMOVE_QUOTA":   oper + "TestQuotaEndpoint",
	"GET_ROLES":      oper + "TestQuotaIsEnforced",

	"UPDATE_MAINTENANCE_SCHEDULE": oper + "TestMaintenance " + oper + "TestScheduleValidation " + mst + "TestTranscripts",
	"GET_MAINTENANCE_SCHEDULE":    oper + "TestMaintenance",
	"GET_MAINTENANCE_STATUS":      oper + "TestMaintenance",
	"START_MAINTENANCE":           oper + "TestMaintenance " + oper + "TestScheduleValidation",
	"STOP_MAINTENANCE":            oper + "TestMaintenance " + oper + "TestScheduleValidation",

	"DRAIN_AGENT":      oper + "TestDrain " + oper + "TestDrainMarksGone " + oper + "TestDrainUnderMaintenance " + mst + "TestTranscripts",
	"DEACTIVATE_AGENT": oper + "TestDeactivate",
	"REACTIVATE_AGENT": oper + "TestDrain " + oper + "TestDeactivate",
}
