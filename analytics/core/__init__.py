"""What is computed, apart from where it runs: no sockets, no database, no clock."""
