"""The only code that touches kernel, processes and sockets."""
