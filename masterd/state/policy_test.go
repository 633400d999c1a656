package state

import "github.com/mesos-operator/mesos-operator/api/mesos/mesosjson"

// jsonList shows messages in transcripts.
func jsonList[M mesosjson.Message](list []M) string {
	var b []byte
	for _, m := range list {
		b = m.AppendMesosJSON(append(b, ','))
	}
	return string(mesosjson.CloseList(b, 0))
}
