"""What several pages read: the figures of a day, the hours of two days, when areas opened."""
