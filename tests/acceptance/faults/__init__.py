"""The service under attack: real processes, databases, brokers and signals, and what must hold all the same."""
