package state

import "testing"

func TestIPv4(t *testing.T) {
	for text, want := range map[string]bool{
		"10.0.0.1": true, "255.255.255.255": true, "0.0.0.0": true,
		"": false, "10.0.0": false, "10.0.0.1.2": false, "10.0.0.256": false, "10.0.0.-1": false, "10.0.0.01": false,
		"10.0.0.x": false, "::1": false, "10.0.0.1 ": false, "+1.0.0.1": false,
	} {
		if got := isIPv4(text); got != want {
			t.Errorf("isIPv4(%q) is %t", text, got)
		}
	}
}
