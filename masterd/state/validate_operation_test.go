package state

import (
	"strings"
	"testing"

	"github.com/mesos-operator/mesos-operator/api/mesos/mesosjson"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// TestOperationValidation holds single operations against the rules, as a
// framework of role web and principal p asks for them, or an operator.
func TestOperationValidation(t *testing.T) {
	const (
		cpu     = `{"name":"cpus","type":"SCALAR","scalar":{"value":1},"allocation_info":{"role":"web"}`
		disk    = `{"name":"disk","type":"SCALAR","scalar":{"value":10},"allocation_info":{"role":"web"}`
		by      = `"reservations":[{"type":"DYNAMIC","role":"web","principal":"p"}]`
		refined = `"reservations":[{"type":"STATIC","role":"web"},{"type":"DYNAMIC","role":"web/a","principal":"p"}]`
		static  = `"reservations":[{"type":"STATIC","role":"web"}]`
		volume  = `"disk":{"persistence":{"id":"new","principal":"p"},"volume":{"container_path":"d","mode":"RW"}}`
		there   = `"disk":{"persistence":{"id":"there","principal":"p"},"volume":{"container_path":"d","mode":"RW"}}`
		rp      = `"provider_id":{"value":"rp"}`
		raw     = `"disk":{"source":{"type":"RAW","profile":"fast"}}`
		mount   = `"disk":{"source":{"type":"MOUNT","id":"x"}}`
	)
	r := func(parts ...string) string { return strings.Join(parts, ",") + "}" }
	reserve := func(rs ...string) string {
		return `{"type":"RESERVE","reserve":{"resources":[` + strings.Join(rs, ",") + `]}}`
	}
	list := func(kind, member, field string) func(...string) string {
		return func(rs ...string) string {
			return `{"type":"` + kind + `","` + member + `":{"` + field + `":[` + strings.Join(rs, ",") + `]}}`
		}
	}
	unreserve, create, destroy := list("UNRESERVE", "unreserve", "resources"), list("CREATE", "create", "volumes"), list("DESTROY", "destroy", "volumes")
	grow := func(v, addition string) string {
		return `{"type":"GROW_VOLUME","grow_volume":{"volume":` + v + `,"addition":` + addition + `}}`
	}
	shrink := func(v, subtract string) string {
		return `{"type":"SHRINK_VOLUME","shrink_volume":{"volume":` + v + `,"subtract":{"value":` + subtract + `}}}`
	}
	createDisk := func(source, more string) string {
		return `{"type":"CREATE_DISK","create_disk":{"source":` + source + `,` + more + `}}`
	}
	destroyDisk := func(source string) string {
		return `{"type":"DESTROY_DISK","destroy_disk":{"source":` + source + `}}`
	}
	bare := func(s string) string { return strings.Replace(s, `,"allocation_info":{"role":"web"}`, "", 1) }

	for name, test := range map[string]struct {
		op       string
		operator bool
		caps     []mesos.AgentInfo_Capability_Type // that the agent lacks
		want     string
	}{
		"reserve":                                  {op: reserve(r(cpu, by))},
		"reserve nothing":                          {op: reserve(), want: "names no resources"},
		"reserve unreserved":                       {op: reserve(r(cpu)), want: "not dynamically reserved"},
		"reserve statically":                       {op: reserve(r(cpu, static)), want: "not dynamically reserved"},
		"reserve without a principal":              {op: reserve(r(cpu, strings.Replace(by, `,"principal":"p"`, "", 1))), want: "must name principal 'p'"},
		"reserve for another principal":            {op: reserve(r(cpu, strings.Replace(by, `"p"`, `"q"`, 1))), want: "must name principal 'p'"},
		"reserve for another role":                 {op: reserve(r(cpu, strings.Replace(by, "web", "db", 1))), want: "can't be reserved for 'db'"},
		"reserve for a role below":                 {op: reserve(r(cpu, refined)), want: "can't be reserved for 'web/a'"},
		"reserve what is not allocated":            {op: reserve(r(bare(cpu), by)), want: "not allocated"},
		"reserve what is revocable":                {op: reserve(r(cpu, by, `"revocable":{}`)), want: "revocable"},
		"reserve half a gpu":                       {op: reserve(strings.Replace(strings.Replace(r(cpu, by), "cpus", "gpus", 1), `:1}`, `:0.5}`, 1)), want: "gpus come whole"},
		"reserve of two providers":                 {op: reserve(r(cpu, by), r(cpu, by, rp)), want: "different resource providers"},
		"reserve beside a volume":                  {op: reserve(r(cpu, by), r(disk, static, volume)), want: "not dynamically reserved"},
		"reserve of two roles":                     {op: reserve(r(cpu, by), strings.Replace(r(cpu, by), `"allocation_info":{"role":"web"}`, `"allocation_info":{"role":"db"}`, 1)), want: "role"},
		"reserve for everybody":                    {op: reserve(r(cpu, strings.Replace(by, `"web"`, `"*"`, 1))), want: "'*'"},
		"operator reserves":                        {op: reserve(r(bare(cpu), by)), operator: true},
		"operator reserves for a role below":       {op: reserve(r(bare(cpu), refined)), operator: true},
		"operator reserves what is allocated":      {op: reserve(r(cpu, by)), operator: true, want: "allocated"},
		"refinement that the agent can't read":     {op: reserve(r(bare(cpu), refined)), operator: true, caps: []mesos.AgentInfo_Capability_Type{mesos.AgentInfo_Capability_RESERVATION_REFINEMENT}, want: "RESERVATION_REFINEMENT"},
		"role that the agent can't read":           {op: reserve(r(bare(cpu), refined)), operator: true, caps: []mesos.AgentInfo_Capability_Type{mesos.AgentInfo_Capability_HIERARCHICAL_ROLE}, want: "HIERARCHICAL_ROLE"},
		"unreserve":                                {op: unreserve(r(cpu, by))},
		"unreserve another principal's":            {op: unreserve(r(cpu, strings.Replace(by, `"p"`, `"q"`, 1)))},
		"unreserve what is static":                 {op: unreserve(r(cpu, static)), want: "not dynamically reserved"},
		"unreserve a volume":                       {op: unreserve(r(disk, by, there)), want: "must be destroyed"},
		"create":                                   {op: create(r(disk, by, volume))},
		"create on a static reservation":           {op: create(r(disk, static, volume))},
		"create what is no volume":                 {op: create(r(disk, by)), want: "not a persistent volume"},
		"create of unreserved disk":                {op: create(r(disk, volume)), want: "must be reserved"},
		"create of revocable disk":                 {op: create(r(disk, by, volume, `"revocable":{}`)), want: "revocable"},
		"create with an ID that is there":          {op: create(r(disk, by, there)), want: "used twice"},
		"create the same ID twice":                 {op: create(r(disk, by, volume), r(disk, by, volume)), want: "used twice"},
		"create the same ID for another role":      {op: create(r(disk, refined, there))},
		"create with a bad ID":                     {op: create(r(disk, by, strings.Replace(volume, `"new"`, `"a/b"`, 1))), want: "persistence ID"},
		"create with a host path":                  {op: create(r(disk, by, strings.Replace(volume, `"mode"`, `"host_path":"/x","mode"`, 1))), want: "host_path"},
		"create without a volume":                  {op: create(r(disk, by, `"disk":{"persistence":{"id":"new","principal":"p"}}`)), want: "disk.volume"},
		"create a read-only volume":                {op: create(r(disk, by, strings.Replace(volume, "RW", "RO", 1))), want: "read-only"},
		"create for another principal":             {op: create(r(disk, by, strings.Replace(volume, `"p"`, `"q"`, 1))), want: "must name principal 'p'"},
		"create a shared volume without the right": {op: create(r(disk, by, volume, `"shared":{}`)), want: "SHARED_RESOURCES"},
		"operator creates a shared volume":         {op: create(r(bare(disk), by, volume, `"shared":{}`)), operator: true},
		"create of two roles":                      {op: create(r(disk, by, volume), strings.Replace(strings.Replace(r(disk, by, volume), `"allocation_info":{"role":"web"}`, `"allocation_info":{"role":"db"}`, 1), `"new"`, `"newer"`, 1)), want: "role"},
		"create of two providers":                  {op: create(r(disk, by, volume), strings.Replace(r(disk, by, volume, rp), `"new"`, `"newer"`, 1)), want: "different resource providers"},
		"destroy of two providers":                 {op: destroy(r(disk, by, there), r(disk, by, there, rp)), want: "different resource providers"},
		"unreserve of two providers":               {op: unreserve(r(cpu, by), r(cpu, by, rp)), want: "different resource providers"},
		"grow on a MOUNT disk":                     {op: grow(strings.Replace(r(disk, by, there), `"persistence"`, `"source":{"type":"MOUNT","mount":{"root":"/m"}},"persistence"`, 1), r(disk, by, `"disk":{"source":{"type":"MOUNT","mount":{"root":"/m"}}}`)), want: "another kind"},
		"destroy":                                  {op: destroy(r(disk, by, there))},
		"destroy what is not there":                {op: destroy(r(disk, by, volume)), want: "has no volume"},
		"destroy what is no volume":                {op: destroy(r(disk, by)), want: "not a persistent volume"},
		"grow":                                     {op: grow(r(disk, by, there), r(disk, by))},
		"grow by nothing":                          {op: grow(r(disk, by, there), strings.Replace(r(disk, by), "10", "0", 1)), want: "more than nothing"},
		"grow by another reservation":              {op: grow(r(disk, by, there), r(disk, static)), want: "another kind"},
		"grow by cpus":                             {op: grow(r(disk, by, there), r(cpu, by)), want: "another kind"},
		"grow a shared volume":                     {op: grow(r(disk, by, there, `"shared":{}`), r(disk, by)), want: "shared"},
		"grow what a provider has":                 {op: grow(r(disk, by, there, rp), r(disk, by, rp)), want: "resource provider"},
		"grow what is no volume":                   {op: grow(r(disk, by), r(disk, by)), want: "not a persistent volume"},
		"grow on an agent that can't":              {op: grow(r(disk, by, there), r(disk, by)), caps: []mesos.AgentInfo_Capability_Type{mesos.AgentInfo_Capability_RESIZE_VOLUME}, want: "RESIZE_VOLUME"},
		"shrink":                                   {op: shrink(r(disk, by, there), "4")},
		"shrink by nothing":                        {op: shrink(r(disk, by, there), "0"), want: "more than nothing"},
		"shrink by less than a thousandth":         {op: shrink(r(disk, by, there), "0.0001"), want: "more than nothing"},
		"shrink by all":                            {op: shrink(r(disk, by, there), "10"), want: "less than the size"},
		"shrink on a MOUNT disk":                   {op: shrink(strings.Replace(r(disk, by, there), `"persistence"`, `"source":{"type":"MOUNT"},"persistence"`, 1), "4"), want: "MOUNT"},
		"create a disk":                            {op: createDisk(r(disk, raw, rp), `"target_type":"MOUNT"`)},
		"create a disk of no provider":             {op: createDisk(r(disk, raw), `"target_type":"MOUNT"`), want: "not of a resource provider"},
		"create a disk of no pool":                 {op: createDisk(r(disk, mount, rp), `"target_type":"MOUNT"`), want: "RAW"},
		"create a disk of a strange type":          {op: createDisk(r(disk, raw, rp), `"target_type":"PATH"`), want: "target_type"},
		"create a disk of two profiles":            {op: createDisk(r(disk, raw, rp), `"target_type":"BLOCK","target_profile":"slow"`), want: "target_profile"},
		"create a disk of no profile":              {op: createDisk(strings.Replace(r(disk, raw, rp), `,"profile":"fast"`, "", 1), `"target_type":"BLOCK"`), want: "target_profile"},
		"destroy a disk":                           {op: destroyDisk(r(disk, mount, rp))},
		"destroy a pool":                           {op: destroyDisk(r(disk, raw, rp)), want: "with an ID"},
		"destroy a disk of no provider":            {op: destroyDisk(r(disk, mount)), want: "not of a resource provider"},
		"destroy a disk that is a volume":          {op: destroyDisk(strings.Replace(r(disk, mount, rp, by), `"source"`, `"persistence":{"id":"v"},"volume":{"container_path":"d","mode":"RW"},"source"`, 1)), want: "must be destroyed before"},
	} {
		t.Run(name, func(t *testing.T) {
			rig := newRig(t, testConfig())
			a := rig.m.agents[rig.addAgent(0, "cpus:4;disk:100")]
			for _, lacks := range test.caps {
				switch lacks {
				case mesos.AgentInfo_Capability_RESERVATION_REFINEMENT:
					a.caps.reservationRefinement = false
				case mesos.AgentInfo_Capability_HIERARCHICAL_ROLE:
					a.caps.hierarchicalRole = false
				case mesos.AgentInfo_Capability_RESIZE_VOLUME:
					a.caps.resizeVolume = false
				}
			}
			f := rig.subscribe("s", "web")
			author := author{framework: f, principal: new("p")}
			if test.operator {
				author.framework = nil
			}
			known := &mesos.Offer_Operation{}
			if err := mesosjson.Unmarshal([]byte(destroy(bare(r(disk, by, there)))), known); err != nil {
				t.Fatal(err)
			}
			a.checkpointed, _ = read(known.Destroy.Volumes)
			o := &mesos.Offer_Operation{}
			if err := mesosjson.Unmarshal([]byte(test.op), o); err != nil {
				t.Fatalf("%s: %v", test.op, err)
			}
			err := upgradeOperation(o)
			if err == nil {
				err = rig.m.validateOperation(author, a, o)
			}
			switch {
			case test.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}
