"""What helps a person write a policy and understand it: one module a tool, each a function of values.

A policy and what is known of the tools come in, a report goes out; the commands in `cli` fetch the one and print the
other. Nothing here judges a call: what decides is `policy`, and these tools ask it.
"""
