"""Several replicas: one leads, the others pass on; and a load that knows what it was answered."""
