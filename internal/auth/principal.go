package auth

// Principal is who made a request or sent a message.
type Principal struct {
	// Name is what ACLs know the principal by, "" if it has none: nobody
	// authenticated, or only Claims are known.
	Name string
	// Claims are what a token says about its bearer. Executors have some and
	// no Name.
	Claims map[string]string
}

// IsNobody says that nothing is known, because nobody authenticated.
func (p Principal) IsNobody() bool { return p.Name == "" && len(p.Claims) == 0 }

// String is for logs: secrets are no part of a Principal.
func (p Principal) String() string {
	switch {
	case p.Name != "":
		return p.Name
	case len(p.Claims) > 0:
		return "executor " + p.Claims["eid"] + " of framework " + p.Claims["fid"]
	}
	return "nobody"
}
