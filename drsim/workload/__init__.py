"""What hosts write: arrivals x access x sizes x calendar, and traces. Pure: seeds in, batches out."""
