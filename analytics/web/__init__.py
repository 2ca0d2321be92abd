"""The dashboard: what the documents say, as pages for people and as JSON and CSV for programs. It only reads."""
