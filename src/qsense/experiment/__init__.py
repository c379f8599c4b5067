"""From a command line to objects: schema, checks, identity, building, loading, sweeping."""
