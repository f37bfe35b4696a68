"""The service on several hosts, which are network namespaces of this machine: `make cluster-test` runs these tests."""
