"""Alerts on numbers: rules over documents, judged when an hour or day has ended, and messages to people.

    Reader ──▶ numbers: values by scope and period ──▶ rules: is it so? ──▶ node: changed since? ──▶ channels: messages

What was sent is in the collection ``alerts``, so a restart repeats nothing. A message that no channel took is sent again.
"""
