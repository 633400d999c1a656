package config

import (
	"net/netip"
	"strings"
	"testing"
)

func valid() Config {
	c := Default()
	c.CacheDir, c.RepoDir = "/cache", "/repo"
	return c
}

func TestValidate(t *testing.T) {
	tests := map[string]struct {
		change func(*Config)
		want   string // part of the error; "" for none
	}{
		"default":           {func(*Config) {}, ""},
		"relative run":      {func(c *Config) { c.RunDir = "run" }, "--run"},
		"run is the root":   {func(c *Config) { c.RunDir = "/var/.." }, "--run"},
		"no nodes":          {func(c *Config) { c.Nodes = 0 }, "--nodes"},
		"too many nodes":    {func(c *Config) { c.Nodes = MaxNodes + 1 }, "--nodes"},
		"overlapping CIDRs": {func(c *Config) { c.PodCIDR = netip.MustParsePrefix("10.0.0.0/8") }, "overlap"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := valid()
			tt.change(&c)
			err := c.Validate()
			switch {
			case tt.want == "" && err != nil:
				t.Fatalf("Validate() = %v, want nil", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Fatalf("Validate() = %v, want an error about %q", err, tt.want)
			}
		})
	}
}

func TestAddresses(t *testing.T) {
	c := valid()
	c.Nodes = 2
	got := []string{c.Server(), c.APIServiceAddr().String(), c.DNSAddr().String()}
	for _, n := range c.AllNodes() {
		got = append(got, n.Name, n.Addr.String(), n.PodCIDR.String())
	}
	want := "https://10.99.0.1:6443 10.96.0.1 10.96.0.10 node1 10.99.0.11 10.244.1.0/24 node2 10.99.0.12 10.244.2.0/24"
	if s := strings.Join(got, " "); s != want {
		t.Errorf("addresses:\n got %s\nwant %s", s, want)
	}
}
