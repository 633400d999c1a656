package compatibility

const sched = "test/conformance/scheduler."

// operationProofs are the tests of the calls about reservations and volumes.
var operationProofs = map[string]string{
	"RESERVE_RESOURCES":   oper + "TestReservationCalls",
	"UNRESERVE_RESOURCES": oper + "TestReservationCalls",
	"CREATE_VOLUMES":      oper + "TestReservationCalls",
	"DESTROY_VOLUMES":     oper + "TestReservationCalls",
	"GROW_VOLUME":         oper + "TestReservationCalls",
	"SHRINK_VOLUME":       oper + "TestReservationCalls",
	"GET_OPERATIONS":      sched + "TestOperationFeedback",
}
