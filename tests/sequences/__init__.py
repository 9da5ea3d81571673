"""Random sequences of changes on a real control plane, judged by a naive oracle."""
