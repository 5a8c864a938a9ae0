"""The virtual lab: real kernels as gateways, shelves and client."""
