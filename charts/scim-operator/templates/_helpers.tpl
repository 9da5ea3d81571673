{{/* Base of all names: the release's name, with the chart's when the former doesn't tell. */}}
{{- define "scim-operator.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* The labels by which Deployment and Service find the pod; a Deployment's can never be changed. */}}
{{- define "scim-operator.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* Those of the values can't take the place of ours. */}}
{{- define "scim-operator.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "scim-operator.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with omit .Values.commonLabels "helm.sh/chart" "app.kubernetes.io/name" "app.kubernetes.io/instance" "app.kubernetes.io/version" "app.kubernetes.io/managed-by" }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Labels and annotations of an object that has none of its own. */}}
{{- define "scim-operator.metadata" -}}
labels:
  {{- include "scim-operator.labels" . | nindent 2 }}
{{- with .Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "scim-operator.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "scim-operator.fullname" .) -}}
{{- else -}}
{{- required "serviceAccount.name is needed when serviceAccount.create is false" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* The Secret by which replicas know each other. */}}
{{- define "scim-operator.internalSecret" -}}
{{- .Values.internalTLS.existingSecret | default (printf "%s-internal" (include "scim-operator.fullname" . | trunc 54 | trimSuffix "-")) -}}
{{- end -}}

{{/* What helm runs beside the operator: its Service must not find these pods. */}}
{{- define "scim-operator.testName" -}}
{{ include "scim-operator.fullname" . | trunc 47 | trimSuffix "-" }}-test-connection
{{- end -}}

{{- define "scim-operator.crdsName" -}}
{{ include "scim-operator.fullname" . | trunc 58 | trimSuffix "-" }}-crds
{{- end -}}

{{- define "scim-operator.podLabelsOf" -}}
{{- $labels := include "scim-operator.labels" .root | fromYaml -}}
{{- mergeOverwrite $labels (dict "app.kubernetes.io/name" (printf "%s-%s" .root.Chart.Name .part)) | toYaml -}}
{{- end -}}

{{/* Replicas on nodes of their own, unless the values say where. */}}
{{- define "scim-operator.affinity" -}}
{{- $affinity := deepCopy .Values.affinity -}}
{{- if and (gt (int .Values.replicas) 1) (ne .Values.antiAffinity "None") (not $affinity.podAntiAffinity) -}}
{{- $labels := dict "matchLabels" (include "scim-operator.selectorLabels" . | fromYaml) -}}
{{- $term := dict "topologyKey" "kubernetes.io/hostname" "labelSelector" $labels -}}
{{- if eq .Values.antiAffinity "Required" -}}
{{- $_ := set $affinity "podAntiAffinity" (dict "requiredDuringSchedulingIgnoredDuringExecution" (list $term)) -}}
{{- else -}}
{{- $preferred := dict "weight" 100 "podAffinityTerm" $term -}}
{{- $_ := set $affinity "podAntiAffinity" (dict "preferredDuringSchedulingIgnoredDuringExecution" (list $preferred)) -}}
{{- end -}}
{{- end -}}
{{- with $affinity }}{{ toYaml . }}{{ end -}}
{{- end -}}

{{/* The Service's port for providers. */}}
{{- define "scim-operator.servicePort" -}}
{{- .Values.service.port | default (ternary 443 80 (not (empty .Values.tls.secretName))) | int -}}
{{- end -}}

{{/* The operator as the API server knows it. */}}
{{- define "scim-operator.userName" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ include "scim-operator.serviceAccountName" . }}
{{- end -}}

{{/* CEL: whether the namespace that .name (CEL too) gives is closed to the operator, as its own planner decides. */}}
{{- define "scim-operator.closed" -}}
{{- $protected := concat (list "default" .root.Release.Namespace) .root.Values.protectedNamespaces | uniq -}}
({{ .name }}.startsWith('kube-') || {{ .name }} in {{ toJson $protected }}) && !({{ .name }} in {{ toJson .root.Values.literalNamespaces }})
{{- end -}}

{{/* Refuses a second release, which would fight over the same objects. Without a cluster, as in `helm template`,
the look-up finds nothing. */}}
{{- define "scim-operator.onlyRelease" -}}
{{- range (lookup "apps/v1" "Deployment" "" "").items -}}
{{- $labels := .metadata.labels | default dict -}}
{{- $instance := get $labels "app.kubernetes.io/instance" -}}
{{- $mine := and (eq .metadata.namespace $.Release.Namespace) (eq $instance $.Release.Name) -}}
{{- if and (eq (get $labels "app.kubernetes.io/name") $.Chart.Name) (not $mine) -}}
{{- fail (printf "this cluster has release %q of scim-operator in namespace %q already (Deployment %s), and two would fight over the same objects: upgrade that one, or `helm uninstall %s -n %s` first, which takes nobody's access away" $instance .metadata.namespace .metadata.name $instance .metadata.namespace) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* By tag, or by digest, which says all that a tag says and can't be moved. */}}
{{- define "scim-operator.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* externalURL without the slash that people leave at its end; empty: the Ingress's host, when that has TLS. */}}
{{- define "scim-operator.externalURL" -}}
{{- $url := .Values.externalURL | trimSuffix "/" -}}
{{- if not (regexMatch "^(https?://[^/?#@\\s]+(/[^?#\\s]*)?)?$" $url) -}}
{{- fail (printf "externalURL is %q, and must be a scheme and a host, such as https://scim.example.com" $url) -}}
{{- else if contains "/scim/v2" $url -}}
{{- fail (printf "externalURL is %q: leave out /scim/v2 and what follows, which is added for each directory" $url) -}}
{{- end -}}
{{- if and (not $url) .Values.ingress.enabled .Values.ingress.tls.enabled -}}
https://{{ .Values.ingress.host }}
{{- else -}}
{{ $url }}
{{- end -}}
{{- end -}}

{{/* Why Microsoft Entra ID can't use the URL; empty when nothing speaks against it. It wants a public name, HTTPS
and a certificate that everybody trusts. */}}
{{- define "scim-operator.notForEntra" -}}
{{- $url := include "scim-operator.externalURL" . -}}
{{- $host := regexReplaceAll "^https?://([^/:]*).*$" $url "${1}" -}}
{{- if and (not $url) .Values.ingress.enabled -}}
the Ingress has no TLS (ingress.tls.enabled is false), and externalURL is empty
{{- else if not $url -}}
externalURL is empty
{{- else if hasPrefix "http://" $url -}}
externalURL is {{ $url }}, which is not HTTPS
{{- else if regexMatch "^\\[|^[0-9.]+$" $host -}}
externalURL is {{ $url }}, and no trusted certificate is made for an address
{{- else if or (not (contains "." $host)) (regexMatch "[.](local|localhost|localdomain|internal|lan|home|corp|test|invalid|svc|arpa)$" $host) -}}
externalURL is {{ $url }}, a name that means nothing outside of your network
{{- end -}}
{{- end -}}

{{/* Refuses kinds that no template may ever hold: rights, secrets, what runs, and what acts on the whole cluster. */}}
{{- define "scim-operator.templateKinds" -}}
{{- $groups := list "rbac.authorization.k8s.io" "authorization.openshift.io" "apps" "batch" "extensions" "admissionregistration.k8s.io" "apiextensions.k8s.io" "certificates.k8s.io" "scim-operator.io" -}}
{{- $core := list "secrets" "serviceaccounts" "pods" "podtemplates" "replicationcontrollers" "namespaces" "nodes" "persistentvolumes" -}}
{{- $coreKinds := list "Secret" "ServiceAccount" "Pod" "PodTemplate" "ReplicationController" "Namespace" "Node" "PersistentVolume" -}}
{{- range .Values.templateKinds -}}
{{- if or (has .group $groups) (and (not .group) (or (has .resource $core) (has .kind $coreKinds))) -}}
{{- fail (printf "templateKinds must not hold %s (group %q): templates never bring rights, secrets or workloads, since whoever writes a template would have them everywhere" .kind .group) -}}
{{- end -}}
{{- end -}}
{{- end -}}
