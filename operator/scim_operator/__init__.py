"""Turns an identity provider's SCIM provisioning into Kubernetes access."""
