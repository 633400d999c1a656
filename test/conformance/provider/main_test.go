package provider

import (
	"testing"

	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

func TestMain(m *testing.M) { testbed.Main(m) }
