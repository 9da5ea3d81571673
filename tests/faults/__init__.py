"""What can go wrong between operator and API server, made to go wrong: a proxy, and tests that use it."""
