"""Reading stores: projections of the ledger's registers, and the home of the samples."""
