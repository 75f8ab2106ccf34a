"""What hosts write: arrivals x access x sizes x calendar, traces, and the change rate of both."""
