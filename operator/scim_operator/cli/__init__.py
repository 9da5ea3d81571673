"""The commands of `scim-operator`."""
