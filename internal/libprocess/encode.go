package libprocess

import "strconv"

// appendRequest appends a message as a request. Headers, their order and the
// chunked body are those of Mesos, so that receivers that read less than all
// of HTTP read it too. A message without a body has no header for its length.
func appendRequest(dst []byte, o outgoing) []byte {
	dst = append(dst, "POST "...)
	if o.to.ID != "" {
		dst = append(dst, '/')
		dst = appendEscaped(dst, o.to.ID)
	}
	dst = append(dst, '/')
	dst = append(dst, o.name...)
	dst = append(dst, " HTTP/1.1\r\nUser-Agent: libprocess/"...)
	dst = appendPID(dst, o.from)
	dst = append(dst, "\r\nLibprocess-From: "...)
	dst = appendPID(dst, o.from)
	dst = append(dst, "\r\nConnection: Keep-Alive\r\nHost: "...)
	dst = appendAddress(dst, o.to.Address)
	if len(o.body) == 0 {
		return append(dst, "\r\n\r\n"...)
	}
	dst = append(dst, "\r\nTransfer-Encoding: chunked\r\n\r\n"...)
	dst = strconv.AppendInt(dst, int64(len(o.body)), 16)
	dst = append(dst, '\r', '\n')
	dst = append(dst, o.body...)
	return append(dst, "\r\n0\r\n\r\n"...)
}

func appendPID(dst []byte, p PID) []byte {
	dst = append(dst, p.ID...)
	dst = append(dst, '@')
	return appendAddress(dst, p.Address)
}

func appendAddress(dst []byte, a Address) []byte {
	v6 := false
	for i := range len(a.Host) {
		if a.Host[i] == ':' {
			v6 = true
			break
		}
	}
	if v6 {
		dst = append(dst, '[')
		dst = append(dst, a.Host...)
		dst = append(dst, ']')
	} else {
		dst = append(dst, a.Host...)
	}
	dst = append(dst, ':')
	return strconv.AppendUint(dst, uint64(a.Port), 10)
}
