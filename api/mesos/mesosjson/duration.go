package mesosjson

import "google.golang.org/protobuf/types/known/durationpb"

// AppendDuration appends a google.protobuf.Duration as Mesos does, as a plain message: {"seconds":5}.
func AppendDuration(b []byte, d *durationpb.Duration) []byte {
	start := len(b)
	if d.GetSeconds() != 0 {
		b = AppendInt(append(b, `,"seconds":`...), d.Seconds)
	}
	if d.GetNanos() != 0 {
		b = AppendInt(append(b, `,"nanos":`...), d.Nanos)
	}
	return CloseObject(b, start)
}

// ReadDuration reads what AppendDuration writes.
func ReadDuration(l *Lexer) *durationpb.Duration {
	d := new(durationpb.Duration)
	for o := l.Object(); o.Next(l); {
		switch string(o.Key) {
		case "seconds":
			if !l.Null() {
				d.Seconds = l.Int64()
			}
		case "nanos":
			if !l.Null() {
				d.Nanos = l.Int32()
			}
		default:
			l.Skip()
		}
	}
	return d
}
