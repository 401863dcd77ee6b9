"""A campaign: many cases, planned, compared, summed up and shown."""
