"""NBD, the network block device protocol: how hosts reach the volumes of a real agent."""
