"""The custom resources as pydantic models: the one source of the YAML in `crds/`."""
