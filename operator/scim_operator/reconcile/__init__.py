"""Makes the cluster what the planner says, and is the sole writer of every status."""
