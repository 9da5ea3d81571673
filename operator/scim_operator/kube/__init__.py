"""The Kubernetes API behind a small port: dicts in, dicts out. The only importer of `kubernetes`."""
