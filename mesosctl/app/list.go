package app

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/master"
)

func newAgent(o *options) *cobra.Command {
	c := &cobra.Command{Use: "agent", Short: "Look at agents"}
	c.AddCommand(newList(o, "List agents", master.Call_GET_AGENTS, func(r *master.Response) [][]string {
		rows := [][]string{{"ID", "HOSTNAME", "ACTIVE", "VERSION", "TOTAL", "ALLOCATED"}}
		for _, a := range r.GetGetAgents().GetAgents() {
			rows = append(rows, []string{
				a.GetAgentInfo().GetId().GetValue(), a.GetAgentInfo().GetHostname(), yesNo(a.GetActive()),
				a.GetVersion(), amounts(a.GetTotalResources()), amounts(a.GetAllocatedResources()),
			})
		}
		return rows
	}))
	return c
}

func newFramework(o *options) *cobra.Command {
	c := &cobra.Command{Use: "framework", Short: "Look at frameworks"}
	c.AddCommand(newList(o, "List frameworks", master.Call_GET_FRAMEWORKS, func(r *master.Response) [][]string {
		rows := [][]string{{"ID", "NAME", "ACTIVE", "CONNECTED", "ROLES", "ALLOCATED"}}
		for _, f := range r.GetGetFrameworks().GetFrameworks() {
			info := f.GetFrameworkInfo()
			rows = append(rows, []string{
				info.GetId().GetValue(), info.GetName(), yesNo(f.GetActive()), yesNo(f.GetConnected()),
				strings.Join(info.GetRoles(), ","), amounts(f.GetAllocatedResources()),
			})
		}
		return rows
	}))
	return c
}

func newVersion(o *options) *cobra.Command {
	return newCommand(o, "version", "Show the version of the leading master", master.Call_GET_VERSION, func(r *master.Response) [][]string {
		v := r.GetGetVersion().GetVersionInfo()
		return [][]string{{"MESOS", "GIT", "BUILT"}, {v.GetVersion(), v.GetGitTag() + v.GetGitSha(), v.GetBuildDate()}}
	})
}

func newList(o *options, short string, call master.Call_Type, rows func(*master.Response) [][]string) *cobra.Command {
	return newCommand(o, "list", short, call, rows)
}

// newCommand is a command that asks the master one thing and prints the answer as a table.
func newCommand(o *options, use, short string, call master.Call_Type, rows func(*master.Response) [][]string) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := o.client(c.Context())
			if err != nil {
				return err
			}
			r, err := client.Master(c.Context(), &master.Call{Type: call.Enum()})
			if err != nil {
				return err
			}
			return printTable(o.streams.Out, rows(r))
		},
	}
}

func printTasks(w io.Writer, tasks []*mesos.Task) error {
	rows := [][]string{{"ID", "NAME", "STATE", "FRAMEWORK", "AGENT", "RESOURCES"}}
	for _, t := range tasks {
		rows = append(rows, taskRow(t))
	}
	return printTable(w, rows)
}

func printTable(w io.Writer, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	for _, row := range rows {
		for i, cell := range row {
			if cell == "" {
				row[i] = "-"
			}
		}
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	return t.Flush()
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// amounts sums the scalars of a list of resources: "cpus:0.1 mem:32".
func amounts(resources []*mesos.Resource) string {
	sums := map[string]float64{}
	var names []string
	for _, r := range resources {
		if r.GetType() != mesos.Value_SCALAR {
			continue
		}
		if _, ok := sums[r.GetName()]; !ok {
			names = append(names, r.GetName())
		}
		sums[r.GetName()] += r.GetScalar().GetValue()
	}
	var parts []string
	for _, name := range names {
		parts = append(parts, fmt.Sprintf("%s:%.12g", name, sums[name]))
	}
	return strings.Join(parts, " ")
}
