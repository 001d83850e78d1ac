"""What follows from resolved intent, for several passes: tunnels, paths, MTUs, ports in use, offers.

Each answer has one place here, so that a check and what is rendered can never disagree.
"""
