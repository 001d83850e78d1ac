"""The lab: an example in network namespaces of this machine, with the real driver and real packets.

It shows what the product does where a kernel is, and it is part of the tests. Every namespace has a prefix of
its own and is removed at the end, however it ends.
"""
