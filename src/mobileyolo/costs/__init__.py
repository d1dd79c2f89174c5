"""The cost of a model: parameters, floating point operations, latency."""
