"""Pages that follow from declarations: one for each bolt, and those of numbers."""
