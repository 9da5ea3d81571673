"""An hour of what a provider sends day by day, and what the operator grows by meanwhile."""
