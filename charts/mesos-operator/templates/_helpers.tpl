{{- define "mesos-operator.name" -}}
{{- $name := printf "%s-%s" .Release.Name .Chart.Name }}
{{- if contains .Chart.Name .Release.Name }}{{ $name = .Release.Name }}{{ end }}
{{- $name | trunc 52 | trimSuffix "-" }}
{{- end }}

{{- define "mesos-operator.account" -}}
{{- default (include "mesos-operator.name" .) .Values.serviceAccount.name }}
{{- end }}

{{- define "mesos-operator.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "mesos-operator.labels" -}}
{{ include "mesos-operator.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- /* The name of an image: (list . "operator"). */}}
{{- define "mesos-operator.image" -}}
{{- $root := index . 0 }}{{- $image := index $root.Values.images (index . 1) }}
{{- with $root.Values.images.registry }}{{ . }}/{{ end }}{{ $image.repository }}:{{ default $root.Chart.AppVersion $image.tag }}
{{- end }}
