package pki

import (
	"encoding/json"
	"fmt"
	"os"
)

// Kubeconfig writes a kubeconfig that reaches server as the holder of the
// certificate called user. It is JSON, which every reader of YAML takes.
func (a *Authority) Kubeconfig(path, server, user string) error {
	data := map[string][]byte{}
	for what, file := range map[string]string{"ca": a.CertFile("ca"), "cert": a.CertFile(user), "key": a.KeyFile(user)} {
		b, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("writing a kubeconfig for %s: %w", user, err)
		}
		data[what] = b
	}
	type object = map[string]any
	doc := object{
		"apiVersion":      "v1",
		"kind":            "Config",
		"current-context": "localkube",
		"clusters": []object{{"name": "localkube", "cluster": object{
			"server": server, "certificate-authority-data": data["ca"],
		}}},
		"users": []object{{"name": user, "user": object{
			"client-certificate-data": data["cert"], "client-key-data": data["key"],
		}}},
		"contexts": []object{{"name": "localkube", "context": object{"cluster": "localkube", "user": user}}},
	}
	b, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return fmt.Errorf("writing a kubeconfig for %s: %w", user, err)
	}
	return os.WriteFile(path, append(b, '\n'), 0o600)
}
