"""The SimPy world around the engine: hosts, disks, links, faults, runbooks."""
