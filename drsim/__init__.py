"""drsim: the real block-replication engine in a simulated world of sites, volumes and slow links."""

__version__ = "0.1.0"
