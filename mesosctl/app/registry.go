package app

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mesos-operator/mesos-operator/internal/atomicfile"
)

func newRegistry(o *options) *cobra.Command {
	c := &cobra.Command{Use: "registry", Short: "Back up what masters remember"}
	c.AddCommand(newRegistryBackup(o))
	return c
}

func newRegistryBackup(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "backup FILE",
		Short: "Write the registry of the leading master to a file",
		Long: `Write the registry of the leading master to a file, as JSON: agents admitted, unreachable and
gone, quotas, weights, maintenance. "-" is standard output. "masterd registry import FILE" makes
a new registry of it. It works with masters of Apache Mesos too.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			client, err := o.client(c.Context())
			if err != nil {
				return err
			}
			r, data, err := client.Registry(c.Context())
			if err != nil {
				return err
			}
			data = append(data, '\n')
			if args[0] == "-" {
				_, err = o.streams.Out.Write(data)
				return err
			}
			if err := atomicfile.Write(args[0], data, 0o600); err != nil {
				return fmt.Errorf("writing the backup: %w", err)
			}
			_, err = fmt.Fprintf(o.streams.Err, "%d agents, %d quotas, %d weights and %d machines written to %s\n",
				len(r.GetSlaves().GetSlaves()), len(r.GetQuotaConfigs()), len(r.GetWeights()), len(r.GetMachines().GetMachines()), args[0])
			return err
		},
	}
}
