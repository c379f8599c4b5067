"""Many runs at once: several values per key, or a sweep file → runs that are planned, started and seen through."""
