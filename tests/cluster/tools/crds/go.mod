module scim-operator.io/tools/crds

go 1.26.0

// Nothing is built of these: tests/chart/foreign.py reads YAML from them. `go mod tidy` would leave them out.
require (
	github.com/prometheus-operator/prometheus-operator v0.85.0
	sigs.k8s.io/gateway-api v1.6.3
)
