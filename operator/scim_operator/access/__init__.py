"""The planner: policies and people in, the bindings and namespaces that should exist out. Pure."""
