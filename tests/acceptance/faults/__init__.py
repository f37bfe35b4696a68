"""Fault injection: real processes, databases, brokers and signals, and the invariants that must hold."""
