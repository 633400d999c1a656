#!/usr/bin/env bash
# The whole product on a real kubelet: make up from nothing, the tests of test/e2e, the deletion of the
# MesosCluster and what it leaves on its node, make down and the leak check.
# A cluster that already runs on this machine is used and left as it is.
set -euo pipefail
cd "$(dirname "$0")/.."
# Not the cluster that a developer's kubeconfig reaches.
unset KUBECONFIG
localkube=bin/localkube/localkube
make --no-print-directory localkube

ours=no
if "$localkube" check > /dev/null 2>&1; then
  ours=yes
fi
finish() {
  status=$?
  trap - EXIT
  if [ $status -ne 0 ]; then
    echo "--- what a person would look at"
    kubectl get mesosclusters,pods --all-namespaces --output=wide || true
    kubectl --namespace=default logs --selector=mesos.dev/cluster=demo --tail=60 --prefix || true
    kubectl --namespace=mesos-system logs --selector=app.kubernetes.io/name=mesos-operator --tail=40 || true
  fi
  if [ $ours = yes ]; then
    make --no-print-directory down || status=1
  fi
  exit $status
}
trap finish EXIT

begin=$SECONDS
make --no-print-directory up
echo "make up took $((SECONDS - begin))s"
begin=$SECONDS
make --no-print-directory up > /dev/null
echo "a second make up took $((SECONDS - begin))s"

kubeconfig=$("$localkube" kubeconfig)
kubectl() { bin/kubectl --kubeconfig="$kubeconfig" "$@"; }
MESOS_E2E_KUBECONFIG=$kubeconfig MESOS_E2E_BIN=$PWD/bin hack/gotest.sh -v ./test/e2e/...

if [ $ours = yes ]; then
  echo "deleting the MesosCluster; its agents clean their node"
  kubectl --namespace=default delete mesoscluster demo --timeout=3m
  left=$(find /sys/fs/cgroup -maxdepth 4 -type d -name 'mesos_default_demo*' 2> /dev/null)
  if [ -n "$left" ]; then
    echo "cgroups are left: $left" >&2
    exit 1
  fi
  echo "no cgroup is left of it"
fi
