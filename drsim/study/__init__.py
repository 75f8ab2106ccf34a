"""Many runs: sweep, size, compare."""
