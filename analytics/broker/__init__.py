"""The broker: Receiver, filter bolt, Queue and Sender, and the clients that talk to it."""
