"""What runs the timer bolts that ``analytics.timers`` declares: the node ``timers``, and runs by hand."""
