"""The whole suite in the background: starting and stopping it, and the supervisor that keeps it up."""
