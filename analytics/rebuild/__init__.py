"""Documents derived again from the journals: what `bin/analytics rebuild` does."""
