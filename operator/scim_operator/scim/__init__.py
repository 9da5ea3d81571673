"""The SCIM 2.0 engine (RFC 7643, RFC 7644): pure functions over plain values.

Nothing here knows HTTP, Kubernetes, a clock or random numbers; what it needs of them is an argument.
"""
