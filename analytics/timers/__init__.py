"""Timer bolts: numbers that need more than one day at once, computed on a schedule from what the bolts have stored."""
