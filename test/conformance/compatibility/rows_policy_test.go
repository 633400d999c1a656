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
}
